#!/usr/bin/env bash
# Many clients in few processes: tests/e2e/crowds.py.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

export ISOLATION=shared
run_python crowds
