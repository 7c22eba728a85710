# shellcheck shell=bash disable=SC2034
# lib.sh - what the shell tests share; to be sourced, not run.
#
# A test has a directory of its own, $tmp, and a loopback address of its own,
# $host: ports handed out by free_port are then nobody else's, although the
# servers under test cannot be asked to bind port 0.  All that it starts with
# `start` is ended when it ends, by process group, and the logs are shown if
# it failed.

set -eu

export LC_ALL=C
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

testdir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$(cd "${builddir:-$testdir/..}" && pwd)

# The programs; where they are not built yet a test that uses them is skipped.
usher=${USHER:-$build/src/usher}
usherd=${USHERD:-$build/src/usherd}
relay=${USHER_RELAY:-$build/src/usher-relay}
faults=$build/tests/faults
export usher usherd relay faults

test_name=$(basename "$0" .sh)
checks=0
failures=0
groups=()
last_port=$((20000 + $$ % 8000))

tmp=$(mktemp -d "${TMPDIR:-/tmp}/usher-$test_name.XXXXXX")
export tmp
chmod 711 "$tmp" # workers that dropped root still have to reach their files

# What root starts becomes nobody, and asks usher for new rules: where nobody
# may not go, as in a clone below /root, all three are tried elsewhere.
if [ "$(id -u)" -eq 0 ] && [ -x "$usher" ] && [ -x "$usherd" ] &&
    [ -x "$relay" ] && ! setpriv --reuid=65534 --regid=65534 --clear-groups \
    test -x "$usher" 2>/dev/null; then
	mkdir "$tmp/programs"
	cp "$usher" "$usherd" "$relay" "$tmp/programs"
	usher=$tmp/programs/${usher##*/}
	usherd=$tmp/programs/${usherd##*/}
	relay=$tmp/programs/${relay##*/}
fi

# 127.64.0.1 and up: one address a process id, below the last octet 255.
host=127.$((64 + ($$ >> 16) % 64)).$(($$ >> 8 & 255)).$((1 + $$ % 254))

# alive GROUP: is there still a process of this group that is no zombie?
alive()
{
	local stat state pgrp

	for stat in /proc/[0-9]*/stat; do
		read -r stat 2>/dev/null <"$stat" || continue
		read -r state _ pgrp _ <<<"${stat##*) }"
		[ "$pgrp" = "$1" ] && [ "$state" != Z ] && return 0
	done
	return 1
}

end_group()
{
	kill -TERM -- "-$1" 2>/dev/null || return 0
	wait_for 2 gone "$1" || kill -KILL -- "-$1" 2>/dev/null || :
}

gone()
{
	! alive "$1"
}

# Children of what was started that went into groups of their own.
add_strayed()
{
	local stat parent pgrp

	for stat in /proc/[0-9]*/stat; do
		read -r stat 2>/dev/null <"$stat" || continue
		read -r _ parent pgrp _ <<<"${stat##*) }"
		case " ${groups[*]-} " in
		*" $pgrp "*) ;;
		*" $parent "*) groups+=("$pgrp") ;;
		esac
	done
}

clean_up()
{
	local status=$? group log

	trap - EXIT
	trap "" HUP INT TERM # impatience must not leave anything behind
	if [ "$status" -ne 0 ] && [ "$status" -ne 77 ]; then
		for log in "$tmp"/*.log; do
			[ -s "$log" ] || continue
			printf '\n==> %s\n' "${log##*/}"
			tail -n 40 "$log"
		done >&2
	fi
	add_strayed
	for group in "${groups[@]+"${groups[@]}"}"; do
		kill -TERM -- "-$group" 2>/dev/null || :
	done
	for group in "${groups[@]+"${groups[@]}"}"; do
		end_group "$group"
	done
	wait 2>/dev/null || :
	[ -n "${KEEP_TMP-}" ] || rm -rf "$tmp"
	exit "$status"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# skip REASON: the test cannot be run here.
skip()
{
	printf 'skip - %s: %s\n' "$test_name" "$*"
	exit 77
}

# fail REASON: the test cannot go on.
fail()
{
	printf 'not ok - %s: %s\n' "$test_name" "$*"
	exit 1
}

# need PROGRAM...: skip unless all of them can be run.
need()
{
	local program

	for program; do
		command -v "$program" >/dev/null 2>&1 ||
		    skip "$program is not installed"
	done
}

# need_built FILE...: skip unless these are built.
need_built()
{
	local program

	for program; do
		[ -x "$program" ] || skip "${program##*/} is not built"
	done
}

# check WHAT COMMAND...: run it, say how it went, go on in any case.
check()
{
	local what=$1

	shift
	checks=$((checks + 1))
	if "$@"; then
		printf 'ok %d - %s\n' "$checks" "$what"
	else
		failures=$((failures + 1))
		printf 'not ok %d - %s\n' "$checks" "$what"
	fi
}

# check_skipped WHAT REASON: a check that cannot be made here.
check_skipped()
{
	checks=$((checks + 1))
	printf 'ok %d - %s # skipped: %s\n' "$checks" "$1" "$2"
}

# done_testing: the test's last command.
done_testing()
{
	[ "$checks" -gt 0 ] || fail "nothing was checked"
	[ "$failures" -eq 0 ] || fail "$failures of $checks checks failed"
}

# wait_for SECONDS COMMAND...: until it succeeds; fails after SECONDS.
wait_for()
{
	local until=$((${EPOCHREALTIME/./} + $1 * 1000000))

	shift
	until "$@"; do
		[ "${EPOCHREALTIME/./}" -lt "$until" ] || return 1
		sleep 0.02
	done
}

# start NAME COMMAND...: in the background and a process group of its own, with
# its output in $tmp/NAME.log.  Its process id is left in $started.
start()
{
	local name=$1

	shift
	setsid "$@" >>"$tmp/$name.log" 2>&1 </dev/null &
	started=$!
	groups+=("$started")
}

# free_port: leaves in $port one that nobody listens on at $host.
free_port()
{
	while :; do
		last_port=$((last_port + 1))
		listening "$host" "$last_port" || break
	done
	port=$last_port
}

# listening ADDRESS PORT: does somebody, at this IPv4 address or at any?
# Read from the kernel's table: nobody has to be disturbed by a connection.
listening()
{
	local a b c d

	IFS=. read -r a b c d <<<"$1"
	printf -v a '%02X%02X%02X%02X' "$d" "$c" "$b" "$a"
	printf -v b '%04X' "$2"
	grep -qE "^ *[0-9]+: ($a|00000000):$b [0-9A-F]+:0000 0A " \
	    /proc/net/tcp && return 0
	[ -r /proc/net/tcp6 ] &&
	    grep -qE "^ *[0-9]+: 0{32}:$b [0-9A-F]+:0000 0A " /proc/net/tcp6
}

# await_listener NAME PORT: what was just started as NAME serves this port.
await_listener()
{
	wait_for 40 listening "$host" "$2" ||
	    fail "$1 does not listen on $host:$2"
}

# logged NAME PATTERN: has NAME's log a line that matches?
logged()
{
	grep -qE -- "$2" "$tmp/$1.log" 2>/dev/null
}

# start_usher NAME FILE [ARGUMENT...]: usher serve with these rules on a port
# of the kernel's choice at $host; leaves it in $port, the process in $started.
start_usher()
{
	local name=$1 file=$2

	shift 2
	need_built "$usher" "$usherd"
	mkdir -p "$tmp/run"
	chmod 1777 "$tmp/run"
	RUNTIME_DIRECTORY=$tmp/run start "$name" \
	    "$usher" serve --listen "$host:0" -c "$file" "$@"
	wait_for 40 logged "$name" "listening on $host:[0-9]+" ||
	    fail "usher serve does not say that it listens"
	port=$(sed -n "s/.*listening on $host:\([0-9]*\).*/\1/p" \
	    "$tmp/$name.log" | tail -n 1)
}

# run_python NAME [ARGUMENT...]: the checks in tests/e2e/NAME.py, and nothing
# else in this test.  Of the programs only usher has a heap; its verbs' own tests
# look for leaks, which takes longer than what it is asked here.
run_python()
{
	local name=$1

	shift
	need python3
	[ -n "${MUX-}" ] || need_built "$usher" "$usherd" "$relay"
	ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 \
	    PYTHONDONTWRITEBYTECODE=1 timeout --foreground 900 \
	    python3 "$testdir/e2e/$name.py" "$@"
}
