#!/usr/bin/env bash
# The manual's examples work as they stand there.  In the pages a comment before
# each says what it is: `example: NAME` a rules file, `run` a command.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# plain: what mandoc would show of source lines.
plain()
{
	sed -e 's/\\&//g' -e 's/\\e/\\/g' -e 's/^\.Dl //'
}

names()
{
	sed -n 's/^\.\\" example: //p' "$page"
}

# rules NAME: the lines of the display that follows the comment.
rules()
{
	awk -v comment=".\\\\\" example: $1" '
		$0 == comment { wanted = 1; next }
		wanted && /^\.Bd/ { next }
		wanted && /^\.Ed/ { exit }
		wanted { print }' "$page" | plain
}

commands()
{
	awk '/^\.\\" run$/ { wanted = 1; next }
		wanted { print; wanted = 0 }' "$pages"/*.[58] | plain
}

is_right()
{
	"$usher" check -c "$1" >"$tmp/check.log" 2>&1
}

# The normal form is a fixed point.
is_stable()
{
	"$usher" dump -c "$1" >"$tmp/once" 2>"$tmp/dump.log" &&
	    "$usher" dump -c "$tmp/once" >"$tmp/twice" 2>>"$tmp/dump.log" &&
	    [ -s "$tmp/once" ] && cmp "$tmp/once" "$tmp/twice"
}

run()
{
	bash -c "$1" >"$tmp/run.log" 2>&1
}

pages=$testdir/../man
page=$pages/usher.conf.5
[ -r "$page" ] || skip "there are no manuals yet"
need_built "$usher"
PATH=$build/src:$PATH

for name in $(names); do
	file=$tmp/$name.conf
	rules "$name" >"$file"
	check "usher.conf(5): the example $name is not empty" test -s "$file"
	check "usher.conf(5): the example $name is right" is_right "$file"
	check "usher.conf(5): the example $name has a stable dump" \
	    is_stable "$file"
done

while read -r command; do
	there=${command///etc\/usher\/usher.conf/$tmp/seed.conf}
	check "usher(8): $command" run "$there"
done < <(commands)
done_testing
