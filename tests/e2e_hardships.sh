#!/usr/bin/env bash
# Too little of everything, and death at any moment: tests/e2e/hardships.py.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

run_python hardships
