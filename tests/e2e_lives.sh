#!/usr/bin/env bash
# Processes come and go, connections stay: tests/e2e/lives.py.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

run_python lives
