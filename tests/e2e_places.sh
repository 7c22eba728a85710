#!/usr/bin/env bash
# Where connections come from and go to: tests/e2e/places.py.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

run_python places
