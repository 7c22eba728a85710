#!/usr/bin/env bash
# Rules are read again: what that costs, and what goes wrong: tests/e2e/reloads.py.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

run_python reloads
