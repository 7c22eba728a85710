#!/usr/bin/env bash
# Clients that send nothing: tests/e2e/silence.py.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

run_python silence
