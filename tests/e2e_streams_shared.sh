#!/usr/bin/env bash
# e2e_streams.sh once more, with isolation = shared.

export ISOLATION=shared
export SEEDS=${SEEDS:-60}
exec "$(dirname "$0")/e2e_streams.sh"
