#!/bin/sh
# The small programs give back what they need not have, and nothing else,
# wherever a kernel has put it.
set -eu
lean=${builddir:-.}/tests/lean
status=0

# try ARGUMENT...: one that cannot be made is no reason not to make others.
try()
{
	r=0
	echo "$*:"
	"$lean" "$@" || r=$?
	case $r in
	0) ;;
	77) [ "$status" -ne 0 ] || status=77 ;;
	*) status=1 ;;
	esac
}

try at-once
[ "$status" -eq 0 ] || exit "$status"
for when in at-once late never; do
	try "$when"
	for pages in 0 1 4 9 15 16 17 300; do
		try "$when" "$pages"
	done
done

# What serves a connection is on pages that one fault maps (Makefile.am).
nm "${builddir:-.}/src/usherd" | awk '
	{ at[$3] = $1 }
	END {
		n = split("alone_run relay_run log_end session_step " \
		    "accept4 connect ppoll recvfrom sendmsg sendto " \
		    "shutdown writev", names, " ")
		start = substr(at["__executable_start"], 1, 12)
		for (i = 1; i <= n; i++)
			if (substr(at[names[i]], 1, 12) != start) {
				print names[i] " is at " at[names[i]] \
				    ", not near " start "0000"
				bad = 1
			}
		exit bad
	}' || status=1
exit "$status"
