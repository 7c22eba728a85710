#!/usr/bin/env bash
# What a process that was broken into can do to the others:
# tests/e2e/intruders.py.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

run_python intruders
