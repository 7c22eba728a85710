#!/usr/bin/env bash
# Floods and violence: tests/e2e/sieges.py.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

run_python sieges
