#!/usr/bin/env bash
# What is left of many connections, and what an idle one costs:
# tests/e2e/churn.py.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

run_python churn
