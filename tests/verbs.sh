#!/usr/bin/env bash
# What the verbs of usher say to somebody who mistypes them, and that help and
# manual name the same options.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need_built "$usher"
manual=$testdir/../man/usher.8
rules=$tmp/usher.conf
printf '[all]\nprotocol = any\nbackend = 127.0.0.1:22\n' >"$rules"

# says STATUS TEXT ARGUMENT...: so usher ends, and TEXT is in what it complains.
says()
{
	local status=0

	"$usher" "${@:3}" >"$tmp/out" 2>"$tmp/err.log" </dev/null || status=$?
	[ "$status" -eq "$1" ] && [[ $(cat "$tmp/err.log") == *"$2"* ]]
}

verbs()
{
	"$usher" --help | sed -n 's/^  \([a-z]*\)  .*/\1/p'
}

helped()
{
	"$usher" "$1" --help | grep -oE -- '(^|[[ ])--?[a-z]+' | tr -d '[ ' |
	    sort
}

# In its lines of the synopsis.
documented()
{
	awk -v verb="$1" '
		/^\.Sh DESCRIPTION/ { exit }
		/^\.Nm/ { wanted = 0 }
		$0 == ".Cm " verb { wanted = 1 }
		wanted { for (i = 1; i < NF; i++) if ($i == "Fl") {
			name = $(i + 1)
			if (name ~ /^-?[a-z]+$/) print "-" name
		} }' "$manual" | sort
}

same_options()
{
	[ "$(helped "$1")" = "$(documented "$1")" ] || {
		diff <(helped "$1") <(documented "$1") >&2
		return 1
	}
}

tells_about_itself()
{
	"$usher" "$1" --help >"$tmp/out" && grep -q "^usage: usher $1" "$tmp/out"
}

[ -n "$(verbs)" ] || fail "usher --help lists no verbs"
for verb in $(verbs); do
	check "help and manual name the same options of $verb" \
	    same_options "$verb"
	check "$verb --help is answered" tells_about_itself "$verb"
	check "an unknown option of $verb" \
	    says 2 "usage: usher $verb" "$verb" --nonsense
	check "a word too many for $verb" \
	    says 2 "usher $verb: unexpected \"" "$verb" "$rules" "x y"
done
check "no verb" says 2 "usage: usher VERB"
check "a verb that was mistyped" says 2 'did you mean "check"?' chek
check "a verb like no other" says 2 'unknown verb "frobnicate"' frobnicate
check "an option that was mistyped" says 2 'usher check: ' check --confg x
check "an option without its value" says 2 'usher dump: ' dump -c
check "a file without -c" says 2 'a file is named by -c FILE' check "$rules"
check "a file that is not there" says 1 "$tmp/none: " check -c "$tmp/none"
for verb in check dump explain; do
	check "$verb knows -c by its long name" says 0 '' $verb --config "$rules"
done
check "two forms of the output" says 2 'one form' status --json --prometheus
check "no address to listen on" \
    says 2 '--listen 192.0.2.1: expected ADDR:PORT' \
    serve -c "$rules" --listen 192.0.2.1
check "bytes from two places" says 2 'unexpected "-"' \
    explain --listen 127.0.0.1:0 -
check "no socket at all" says 2 'usher serve --listen' serve -c "$rules"
done_testing
