#!/bin/sh
# The small programs give back what they need not have, and nothing else,
# wherever a kernel has put it.
set -eu
lean=${builddir:-.}/tests/lean
for when in at-once late never; do
	"$lean" "$when"
	for pages in 0 1 4 9 15 16 17 300; do
		echo "$pages pages above the stack:"
		"$lean" "$when" "$pages"
	done
done
