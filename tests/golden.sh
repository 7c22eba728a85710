#!/usr/bin/env bash
# What check and dump say about each tests/rules/NAME.conf is in NAME.out: all
# mistakes with their carets, or the normal form.  UPDATE=1 writes the files
# anew; look at the difference before believing it.
set -eu

usher=$(cd "${builddir:-.}" && pwd)/src/usher
cd "${srcdir:-.}/tests/rules"
[ -x "$usher" ] || {
	echo "no $usher"
	exit 77
}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/usher-golden.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
bad=0

# Rights and routes are those of the machine that the tests run on.
without_the_machine()
{
	sed "/: warning: .*\(leads back to usher\|CAP_NET_RAW\|root's rights\)/,+2d"
}

# say FILE: check it; if it is right, its dump, which is a dump of itself.
say()
{
	local status=0

	"$usher" check -c "$1" >"$tmp/check" 2>&1 || status=$?
	without_the_machine <"$tmp/check"
	echo "status $status"
	[ $status -eq 0 ] || return 0
	"$usher" dump -c "$1" >"$tmp/first" 2>/dev/null
	"$usher" dump -c "$tmp/first" >"$tmp/second" 2>&1
	cmp "$tmp/first" "$tmp/second" || echo "dump of dump differs"
	cat "$tmp/first"
}

for rules in *.conf; do
	golden=${rules%.conf}.out
	say "$rules" >"$tmp/said"
	if [ "${UPDATE:-}" ]; then
		cp "$tmp/said" "$golden"
	elif ! diff -u --text "$golden" "$tmp/said"; then
		echo "tests/rules/$rules: says something else now" >&2
		bad=1
	fi
done

# The example is right as it is, and with all that is commented out in it.
example=../../contrib/usher.conf
sed 's/^#\([a-z[]\)/\1/' "$example" >"$tmp/all"
cmp -s "$example" "$tmp/all" && bad=1
for rules in "$example" "$tmp/all"; do
	"$usher" check -c "$rules" || bad=1
done
exit $bad
