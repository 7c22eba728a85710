#!/bin/sh
# "make format" would change nothing.
set -eu
cd "${srcdir:-.}"

case ${CLANG_FORMAT:-} in
"") echo "clang-format was not found by configure" && exit 77 ;;
esac
version=$("$CLANG_FORMAT" --version | sed 's/.*version \([0-9]*\).*/\1/')
# Each version has ideas of its own.
if [ "$version" -ne 14 ]; then
	echo "clang-format is $version, and the tree is as 14 would have it"
	exit 77
fi
"$CLANG_FORMAT" --dry-run --Werror \
	src/*.[ch] tests/*.[ch] tests/*/*.[ch] contrib/*/*.[ch]
