#!/usr/bin/env bash
# Many connections of many kinds: tests/e2e/soak.py; USHER_SOAK says how many.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

run_python soak
