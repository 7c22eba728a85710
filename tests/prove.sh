#!/usr/bin/env bash
# No stream of first bytes makes a parser read, write or compute what it must
# not: Frama-C's Eva, for streams of each of these lengths and any bytes, in an
# array that ends with the last.  Not one alarm may be left.
#
# PROVE_LENGTHS="3 16" asks for other lengths, "make prove" for more.
set -eu
builddir=$(cd "${builddir:-.}" && pwd)
cd "${srcdir:-.}"

grep -q -- -fsanitize "$builddir/Makefile" 2>/dev/null && {
	echo "the same sources are proved in the build without sanitizers"
	exit 77
}
command -v frama-c >/dev/null || { echo "frama-c is not installed" && exit 77; }

# None, as good as none, enough for every statement, and all there can be.
lengths=${PROVE_LENGTHS:-0 2 16 65536}
parsers=$(echo src/{hostname,hpack,http,http2,http_field,huffman,protocol}.c \
	src/{proxy,records,shape,sslv2,tls}.c src/protocol_*.c)
# What holds for some lengths holds for all as long as nobody but the cursor
# looks at the bytes, which it compares with their number.
# shellcheck disable=SC2086 # a list of words
if grep -nE '\bbytes\b *[[+-]|mem[a-z]+\(.*\bbytes\b|(->|\.)bytes\b' $parsers ||
	grep -nE '\*\(?bytes\b' $parsers | grep -v 'const uint8_t \*bytes'; then
	echo "bytes are to be read by src/cursor.h alone"
	exit 1
fi

# prove N: Functions in which each turn of a loop is looked at alone compare
# with texts from a table, whose lengths would be mixed up otherwise.
prove()
{
	local apart=is_known:200,equals:100,choose:500,agreeing:300

	# shellcheck disable=SC2086 # a list of words
	if frama-c -eva -eva-precision 0 -eva-slevel-function "$apart" \
		-eva-msg-key=-initial-state,-final-states \
		-cpp-extra-args="-Isrc -D_GNU_SOURCE -DN=$1" \
		tests/prove/prove.c $parsers >"$out/$1" 2>&1 &&
		grep -q '^ *0 alarms generated' "$out/$1"; then
		sed -n "s/^ *In these functions, /$1 bytes: /p" "$out/$1"
	else
		echo "$1 bytes: not proved"
		grep -A 1 '^\[eva:alarm\]' "$out/$1" || tail -n 20 "$out/$1"
		return 1
	fi
}

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
export out parsers
export -f prove
# shellcheck disable=SC2086 # a list of words
printf '%s\n' $lengths |
	xargs -P "$(nproc)" -I{} bash -c 'prove {}'
