#!/usr/bin/env bash
# System calls that fail: tests/e2e/faults.py.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

run_python faults
