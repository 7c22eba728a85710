#!/usr/bin/env bash
# How usher is started, by whom, and with what left open: tests/e2e/starting.py.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

run_python starting
