#!/usr/bin/env bash
# e2e_soak.sh once more, with isolation = shared.

export ISOLATION=shared
export USHER_SOAK=${USHER_SOAK:-2000}
exec "$(dirname "$0")/e2e_soak.sh"
