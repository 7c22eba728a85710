#!/usr/bin/env bash
# Processes that are killed and stopped while clients come and go:
# tests/e2e/chaos.py.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
run_python chaos
