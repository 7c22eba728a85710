#!/usr/bin/env bash
# What a multiplexer can get wrong about first bytes: tests/e2e/traps.py.
#
# With MUX=haproxy haproxy is asked instead, and fails where its rules cannot
# say what is meant.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

run_python traps
