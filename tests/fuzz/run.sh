#!/bin/sh
# run.sh [SECONDS [NAME...]]: build the fuzzers with clang and let each run.
# What they find goes to fuzz/ here, with the corpus as it grows; what is found
# wrong is left there as crash-*.  OpenSSL and nghttp2 are compared with where
# they are found.
set -eu
srcdir=${srcdir:-.}
clang=${CLANG:-clang}
seconds=${1:-60}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- http http2 protocols proxy rules tls

command -v "$clang" >/dev/null || {
	echo "fuzz: needs clang" >&2
	exit 77
}
pure="addr arena collision duration hostname hpack http http2 http_field huffman
	line mistake network protocol protocol_* proxy records rules
	rules_[ck-v]* rules_write* shape sslv2 suggest tls"
# shellcheck disable=SC2086 # patterns
sources=$(for name in $pure; do echo "$srcdir"/src/$name.c; done)
ssl=$(pkg-config --cflags --libs openssl 2>/dev/null) &&
	ssl="-DFUZZ_OPENSSL $ssl" || ssl=
nghttp2=$(pkg-config --cflags --libs libnghttp2 2>/dev/null) &&
	nghttp2="-DFUZZ_NGHTTP2 $nghttp2" || nghttp2=

for name; do
	mkdir -p "fuzz/$name"
	# shellcheck disable=SC2086 # lists of words
	"$clang" -std=gnu11 -g -O2 -fno-sanitize-recover=all \
		-fsanitize=fuzzer,address,undefined -I"$srcdir/src" \
		-I"$srcdir/tests" -o "fuzz/fuzz_$name" \
		"$srcdir/tests/fuzz/fuzz_$name.c" $sources $ssl $nghttp2
	ASAN_OPTIONS=detect_leaks=0 "fuzz/fuzz_$name" -max_len=2048 \
		-max_total_time="$seconds" -artifact_prefix=fuzz/ \
		-print_final_stats=1 "fuzz/$name" \
		"$srcdir/tests/fuzz/corpus/$name" "$srcdir/tests/rules" \
		"$srcdir/tests/vectors"
done
