#!/usr/bin/env bash
# How connections end: tests/e2e/partings.py.
#
# With MUX=haproxy haproxy is asked instead, and fails where its rules cannot
# say what is meant.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

run_python partings
