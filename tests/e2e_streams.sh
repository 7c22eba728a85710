#!/usr/bin/env bash
# Sizes, pieces, pauses and ends of all kinds: tests/e2e/streams.py.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

run_python streams
