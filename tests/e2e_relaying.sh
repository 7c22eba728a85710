#!/usr/bin/env bash
# Every byte, both ways, whoever is slow: tests/e2e/relaying.py.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

run_python relaying
