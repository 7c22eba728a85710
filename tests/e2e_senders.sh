#!/usr/bin/env bash
# PROXY headers that come in: tests/e2e/senders.py.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

run_python senders
