#!/usr/bin/env bash
# Backends, receivers and programs that do their worst: tests/e2e/hostile.py.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

run_python hostile
