#!/usr/bin/env bash
# e2e_churn.sh once more, with isolation = shared.

export ISOLATION=shared
export CONNECTIONS=${CONNECTIONS:-2000}
exec "$(dirname "$0")/e2e_churn.sh"
