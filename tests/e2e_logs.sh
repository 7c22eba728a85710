#!/usr/bin/env bash
# Log lines, and who reads them: tests/e2e/logs.py.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

run_python logs
