#!/bin/sh
# The manual pages know everything that has a row in a table, and are faultless
# mdoc.
set -eu
cd "${srcdir:-.}"
bad=0

# explain PAGE WORD...: each has an item of a list there.
explain() {
	page=man/$1
	shift
	[ $# -gt 10 ] || { echo "$page: only $# words to look for" && bad=1; }
	for word; do
		grep -qE -- "^\.It (.* )?Cm ([a-z_-]+ , )*$word( |\$)" \
			"$page" ||
			{ echo "$page: nothing about $word" && bad=1; }
	done
}

# Words without blanks.
# shellcheck disable=SC2046
{
	explain usher.conf.5 $(sed -n \
		's/^	{ "\([a-z-]*\)", [SLCTM][A-Z]*[,(].*/\1/p' src/rules_keys.c)
	explain usherd.8 $(sed -n \
		's/^	{ "\([a-z_]*\)", "USHER_.*/\1/p' src/log_connection.c)
	explain usherd.8 $(sed -n \
		'/END_NONE/d; s/^	\[END_[A-Z_]*\] = "\([a-z-]*\)",/\1/p' src/connection.c)
}
[ $bad -eq 0 ] || exit 1

command -v mandoc >/dev/null || { echo "mandoc is not installed" && exit 77; }
for page in man/*.[0-9]; do
	mandoc -T lint -W warning "$page"
done
