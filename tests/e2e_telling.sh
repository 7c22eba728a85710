#!/usr/bin/env bash
# What usher tells of its connections, the log and the table: tests/e2e/telling.py.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

run_python telling
