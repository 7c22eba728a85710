#!/bin/sh
# Prints how much of each source file was executed, least first.  Run in a
# build tree of configure --enable-coverage after its tests.
set -eu

gcov -n src/*.gcda 2>/dev/null | awk '
	/^File / { file = $2; gsub(/\047/, "", file); sub(/.*src\//, "", file) }
	/^Lines executed:/ && file ~ /\.c$/ && file !~ /tests/ {
		split($0, part, /[:% ]+/)
		printf "%6.2f%% of %4d lines  %s\n", part[3], part[5], file
		file = ""
	}' | sort -n
