#!/usr/bin/env bash
# PROXY headers, out and in: tests/e2e/headers.py.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

run_python headers
