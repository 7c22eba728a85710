#!/bin/bash
# The benchmark itself works: every row completes, no connection fails.
set -eu

: "${srcdir:=.}" "${builddir:=.}"
if ! command -v python3 >/dev/null; then
	echo "SKIP: no python3"
	exit 77
fi
exec python3 -B "$srcdir/tests/bench/bench.py" --smoke --strict \
	--only direct,usher --rows idle,rate,tls,rtt,bulk,flood \
	--tools "$builddir/tests/bench" --usher "$builddir/src/usher"
