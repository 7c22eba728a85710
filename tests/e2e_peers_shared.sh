#!/usr/bin/env bash
# e2e_peers.sh once more, with isolation = shared.

export ISOLATION=shared
exec "$(dirname "$0")/e2e_peers.sh"
