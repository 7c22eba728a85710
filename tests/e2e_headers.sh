#!/usr/bin/env bash
# PROXY headers that go out: tests/e2e/headers.py.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

run_python headers
