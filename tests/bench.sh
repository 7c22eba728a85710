#!/bin/bash
# The benchmark keeps what it promises; see bench/check.py.
set -eu

: "${srcdir:=.}" "${builddir:=.}"
if ! command -v python3 >/dev/null; then
	echo "SKIP: no python3"
	exit 77
fi
exec python3 -B "$srcdir/tests/bench/check.py" "$builddir/tests/bench" \
	"$builddir/src/usher"
