#!/usr/bin/env bash
# Hosts that are gone without a word, and hosts that never were there: between
# hosts of the test's own, whose wires can be cut.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=e2e/hosts.sh
. "$testdir/e2e/hosts.sh"

in_namespaces
need nft socat ss sysctl

# cut HOST: from now on it neither hears nor says anything.
silence()
{
	at "$1" nft -f - <<-END
		table inet cut {
			chain in {
				type filter hook input priority 0; policy drop;
			}
			chain out {
				type filter hook output priority 0; policy drop;
			}
		}
	END
}

mend()
{
	at "$1" nft delete table inet cut
}

without()
{
	! "$@"
}

# hold NAME WORD [SECOND-WORD]: a client that says WORD, hears the answer,
# leaves NAME.heard, and stays; it says SECOND-WORD when NAME.go is there, and
# at its end leaves NAME.end.
hold()
{
	# shellcheck disable=SC2016 # for the inner shell
	start "$1" ip netns exec client timeout 60 bash -c '
		exec 3<>/dev/tcp/192.0.2.1/443 && echo "$1" >&3 &&
		    read -r line <&3 && : >"$0.heard"
		[ -z "$2" ] || until [ -e "$0.go" ]; do sleep .02; done
		[ -z "$2" ] || echo "$2" >&3
		read -r line <&3
		: >"$0.end"' "$tmp/$1" "$2" "${3-}"
	wait_for 10 test -e "$tmp/$1.heard" || fail "$1 hears nothing"
}

make_hosts
# Those who do not answer are there as far as the network knows: else what is
# sent to them fails, once they have been looked for long enough.
ip -n usher neigh add 198.51.100.9 lladdr 02:00:00:00:00:09 dev back
ip -n usher neigh add 2001:db8:2::9 lladdr 02:00:00:00:00:09 dev back
start_who backend 198.51.100.2 7000
start_who backend 2001:db8:2::2 7000
cat /etc/hosts - >"$tmp/hosts" <<-END
	198.51.100.9 several.test
	2001:db8:2::9 several.test
	198.51.100.2 several.test
	2001:db8:2::2 several.test
END
mount --bind "$tmp/hosts" /etc/hosts || fail "cannot have names of its own"
cat >"$tmp/usher.conf" <<-END
	isolation = ${ISOLATION:-connection}
	log-target = stderr
	connect-timeout = 500ms
	listen = 192.0.2.1:443 [2001:db8:1::1]:443
	keepalive = 2s
	[name]
	payload = "name"
	backend = several.test:7000
	[order]
	payload = "order"
	backend = 198.51.100.9:7000 [2001:db8:2::9]:7000 several.test:7000
	[late]
	payload = "late"
	backend = 198.51.100.2:7000
	connect-timeout = 15s
	[dead]
	payload = "dead"
	backend = 198.51.100.9:7000 [2001:db8:2::9]:7000
	[plain]
	payload = "plain"
	backend = 198.51.100.2:7000
	[patient]
	payload = "patient"
	backend = 198.51.100.2:7000
	keepalive = off
END
start_usher_there usher "$tmp/usher.conf"

# Dead for 2 s, then three probes, 1 s apart.
hold idle plain
hold patient patient
silence client
begun=${EPOCHREALTIME/./}
check "an idle client that is gone is noticed" wait_for 20 \
    logged usher 'service=plain .*end=client-reset'
took=$((${EPOCHREALTIME/./} - begun))
check "... no sooner than keepalive says" test "$took" -gt 2000000
check "... and not much later: $((took / 1000)) ms" test "$took" -lt 12000000
check "with keepalive = off it is waited for" \
    test "$(grep -c 'service=patient' "$tmp/usher.log")" -eq 0
mend client

# While bytes are on their way there is no keepalive: then it counts that they
# are not acknowledged, within two looks of 3 s.
hold waiting plain more
silence backend
: >"$tmp/waiting.go"
begun=${EPOCHREALTIME/./}
check "a backend that is gone while it is sent to is noticed" wait_for 40 \
    test -e "$tmp/waiting.end"
took=$((${EPOCHREALTIME/./} - begun))
check "... long before the kernel gives up: $((took / 1000)) ms" \
    test "$took" -gt 1000000 -a "$took" -lt 20000000
check "... and the log says who" wait_for 10 \
    logged usher 'service=plain .*end=backend-reset'
mend backend

# What a client does while the connect is going on; its SYN goes unheard until
# the backend is there again, and is sent anew after a second.
sockets()
{
	[ "$(at usher ss -Htn state "$1" "( dport = :$2 or sport = :$2 )" |
	    wc -l)" -ge 1 ]
}

silence backend
# shellcheck disable=SC2016 # for the inner shell
start finisher ip netns exec client bash -c \
    'echo late | socat -t 20 - TCP:192.0.2.1:443 >"$0" && : >"$0.end"' \
    "$tmp/finisher"
check "a client finishes during the connect" wait_for 10 sockets close-wait 443
check "... which goes on" sockets syn-sent 7000
mend backend
check "... and brings it its answer" wait_for 20 test -e "$tmp/finisher.end"
check "... whole" grep -q '^198\.51\.100\.1 [0-9]*$' "$tmp/finisher"
check "... in order" wait_for 10 \
    logged usher 'service=late .*bytes_in=5 .*end=client-closed'

silence backend
start resetter ip netns exec client python3 -c '
import os, socket, struct, sys, time
s = socket.create_connection(("192.0.2.1", 443))
s.sendall(b"late\n")
while not os.path.exists(sys.argv[1]):
    time.sleep(.02)
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
s.close()' "$tmp/resetter.go"
wait_for 10 sockets syn-sent 7000 || fail "nobody connects"
: >"$tmp/resetter.go"
check "a client resets during the connect: that ends it" wait_for 10 \
    logged usher 'service=late .*end=client-reset'
check "... and the connect" wait_for 5 without sockets syn-sent 7000
mend backend

# Each address gets its connect-timeout, in the order of the resolver.
at usher "$usher" dump -c "$tmp/usher.conf" >"$tmp/dump"
check "a name is all of its addresses, of both families" test \
    "$(grep -A 9 '^\[name\]' "$tmp/dump" | grep '^backend' | tr ' ' '\n' |
	sort | tr '\n' ' ')" = "198.51.100.2:7000 198.51.100.9:7000 = [2001:db8:2::2]:7000 [2001:db8:2::9]:7000 backend "
# reaches_usher WORD: does the backend that lives see usher's own address?
reaches_usher()
{
	case $(ask 192.0.2.1 "$1") in
	198.51.100.1\ * | 2001:db8:2::1\ *) ;;
	*) return 1 ;;
	esac
}

# took NAME COUNT: leaves in $took how long the COUNT-th connection's connect
# took, in milliseconds.
took()
{
	local lines

	wait_for 10 lines usher "service=$1 .*connect_usec=" "$2" || return
	lines=$(sed -n "s/.*service=$1 .*connect_usec=\([0-9]*\).*/\1/p" \
	    "$tmp/usher.log")
	took=$(($(sed -n "$2p" <<<"$lines") / 1000))
}

# lines NAME PATTERN COUNT: are there as many lines like that in NAME's log?
lines()
{
	[ "$(grep -cE -- "$2" "$tmp/$1.log")" -eq "$3" ]
}

# Of both families, the dead ones first, whatever the resolver's order is.
check "of several addresses, one lives" reaches_usher order
took order 1
check "... it is tried after the others' connect-timeouts: $took ms" \
    test "$took" -ge 1000
check "the next connection goes there" reaches_usher order
took order 2
check "... at once: $took ms" test "$took" -lt 500
check "a name of which addresses live" reaches_usher name
check "all addresses dead: the client is closed" \
    test -z "$(ask 192.0.2.1 dead)"
check "... each has had its time" wait_for 10 \
    logged usher 'service=dead .*duration_usec=[1-9][0-9]{6} .*end=connect-timeout'
done_testing
