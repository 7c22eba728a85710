#!/bin/sh
# The manual pages are faultless mdoc.
set -eu
cd "${srcdir:-.}"

command -v mandoc >/dev/null || { echo "mandoc is not installed" && exit 77; }
for page in man/*.[0-9]; do
	[ -e "$page" ] || { echo "there are no manual pages" && exit 77; }
	mandoc -T lint -W warning "$page"
done
