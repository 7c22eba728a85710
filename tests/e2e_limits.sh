#!/usr/bin/env bash
# Limits and timeouts: tests/e2e/limits.py.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

run_python limits
