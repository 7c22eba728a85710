#!/bin/sh
# Every system call in the sandbox's lists exists on arm64, whose table is the
# kernel's generic one, or is there only where it does; numbers that are written
# out are what they say.
set -eu
cd "${srcdir:-.}"

# What arm64's own <asm/unistd.h> asks the generic one for.
generic=$(echo '#include <asm-generic/unistd.h>' |
	${CC:-cc} -D__ARCH_WANT_NEW_STAT -E -dM - 2>/dev/null) || {
	echo "skip: no <asm-generic/unistd.h>"
	exit 77
}
bad=0

# number NAME: in the table that arm64 has.
number() {
	set -- "$(echo "$generic" | sed -n "s/^#define __NR_$1 \(.*\)/\1/p")"
	case $1 in
	__NR3264_*)
		echo "$generic" | sed -n "s/^#define $1 \(.*\)/\1/p"
		;;
	*) echo "$1" ;;
	esac
}

# Rows that are not behind "#ifdef SYS_name", and which call they are about.
names=$(awk '
	/^#ifdef SYS_/ { behind = 1 }
	/^#endif/ { behind = 0 }
	/CALL(_WHEN)?(_IF)?\(/ && !behind && !/^#define/ { print }
	/^COMMON_ROWS/ { print }' src/sandbox_lists.c |
	grep -o 'CALL[A-Z_]*([^)]*' | sed -e 's/CALL_WHEN[A-Z_]*([^,]*, *//' \
		-e 's/CALL[A-Z_]*( *//' -e 's/[,)].*//' | sort -u)
count=0
for name in $names; do
	count=$((count + 1))
	[ -n "$(number "$name")" ] || {
		echo "arm64 has no $name" >&2
		bad=1
	}
done
[ "$count" -gt 40 ] || {
	echo "found only $count system calls in src/sandbox_lists.c" >&2
	bad=1
}

for file in src/*.c; do
	sed -n 's/^#define SYS_\([a-z_0-9]*\) \([0-9]*\)$/\1 \2/p' "$file"
done >"${TMPDIR:-/tmp}/usher-arm64.$$"
while read -r name value; do
	[ "$(number "$name")" = "$value" ] || {
		echo "$name is $(number "$name"), not $value" >&2
		bad=1
	}
done <"${TMPDIR:-/tmp}/usher-arm64.$$"
rm -f "${TMPDIR:-/tmp}/usher-arm64.$$"
exit $bad
