#!/usr/bin/env bash
# First flights of real clients, over a real connection: tests/e2e/flights.py.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

run_python flights
