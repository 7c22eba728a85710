#!/usr/bin/env bash
# The manual's examples, and those of the other documents, work as they stand
# there.  In the pages a comment before each says what it is: `example: NAME` a
# rules file, `run` a command.

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

# rules_of FILE: the block of a Markdown file that begins with a section.
rules_of()
{
	awk '/^    \[/ { wanted = 1 }
		wanted && /^[^ ]/ { exit }
		wanted { sub(/^    /, ""); print }' "$1"
}

# No mistake, and no warning but of what is missing on this machine.
is_right()
{
	"$usher" check -c "$1" >"$tmp/check.log" 2>&1 &&
	    ! grep 'warning: ' "$tmp/check.log" |
	    grep -vE '" is (not there|no user here)$'
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

for document in README.md contrib/pass/README.md; do
	rules_of "$testdir/../$document" >"$tmp/document.conf"
	check "$document: it has rules" test -s "$tmp/document.conf"
	check "$document: they are right" is_right "$tmp/document.conf"
done
example=$testdir/../contrib/usher.conf
sed 's/^#\([a-z[]\)/\1/' "$example" >"$tmp/all.conf"
check "contrib/usher.conf: it is right" is_right "$example"
check "contrib/usher.conf: it is right with all that it suggests" \
    is_right "$tmp/all.conf"

while read -r command; do
	there=${command///etc\/usher\/usher.conf/$tmp/seed.conf}
	check "usher(8): $command" run "$there"
done < <(commands)
done_testing
