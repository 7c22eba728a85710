#!/usr/bin/env bash
# Processes that are killed and stopped while clients come and go:
# tests/e2e/chaos.py, with many clients in few processes.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

export ISOLATION=${ISOLATION:-shared}
run_python chaos
