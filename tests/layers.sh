#!/bin/sh
# No file includes a header of a layer above its own.  The layers are the rows
# of the table in HACKING.md; a module without a row, or one that the build
# does not know, fails as well.  And nobody asks for the time but deadline.c.
set -eu
cd "${srcdir:-.}"

# shellcheck disable=SC2016 # backquotes of Markdown
rows=$(sed -n 's/^| \([0-9]\) | `\([a-z0-9_*-]*\)` |.*/\1 \2/p' HACKING.md)
bad=0

complain() {
	echo "$*" >&2
	bad=1
}

# layer NAME: the number of the layer of module NAME; empty if it has none.
layer() {
	echo "$rows" | while read -r number name; do
		# shellcheck disable=SC2254 # the table has patterns: cmd_*
		case $1 in
		$name) echo "$number" && break ;;
		esac
	done
}

echo "$rows" | cut -d' ' -f1 | sort -rnc ||
	complain "HACKING.md: the layers are not in order, highest first"

for file in src/*.[ch]; do
	name=${file#src/}
	grep -q "^	$file\\b" Makefile.am ||
		complain "$file: not in Makefile.am"
	own=$(layer "${name%.[ch]}")
	[ -n "$own" ] || {
		complain "$file: has no row in HACKING.md"
		continue
	}
	headers=$(sed -n 's/^#include "\(.*\)\.h".*/\1/p' "$file")
	for header in $headers; do
		other=$(layer "$header")
		[ "${other:-0}" -le "$own" ] || complain \
			"$file (layer $own) includes $header.h (layer $other)"
	done
done

# Somebody sets the clock, and nobody's connection may end of it.
for file in src/*.[ch]; do
	! grep -qE 'CLOCK_REALTIME|gettimeofday|\<time\(' "$file" ||
		complain "$file: asks for the time of day"
done

# The static programs give the vdso back (src/lean.h), and what a C library
# would ask there: only deadline.c knows how to ask for the time without.
for file in src/*.c; do
	case $file in
	src/cmd*.c | src/deadline.c | src/usher.c) continue ;;
	esac
	! grep -En 'clock_gettime\(' "$file" ||
		complain "$file: asks for the time, as only deadline.c may"
done
exit $bad
