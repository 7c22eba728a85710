#!/bin/sh
# No shell script has anything that shellcheck would find.
set -eu
cd "${srcdir:-.}"

command -v shellcheck >/dev/null ||
	{ echo "shellcheck is not installed" && exit 77; }
list=$(mktemp)
trap 'rm -f "$list"' EXIT
find demo .ci contrib tests -type f 2>/dev/null | sort | while read -r file; do
	case $(head -n 1 "$file" | tr -d '\0') in
	'#!/bin/sh'* | '#!/bin/bash'* | '#!/usr/bin/env bash'*) echo "$file" ;;
	esac
done >"$list"
xargs shellcheck -x -P SCRIPTDIR <"$list"
