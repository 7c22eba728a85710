# shellcheck shell=bash disable=SC2034,SC2154
# hosts.sh - three hosts, to be sourced after lib.sh: client - usher - backend,
# each a network namespace, with wires of their own between them.
#
#	client 192.0.2.2  2001:db8:1::2
#	usher  192.0.2.1  2001:db8:1::1 at device "front"
#	       198.51.100.1  2001:db8:2::1 at "back"
#	backend 198.51.100.2  2001:db8:2::2
#
# All of it is in namespaces that end with the test, whatever happens to it.

# in_namespaces: goes on only inside of them; outside, runs the test there and
# exits with its status.
in_namespaces()
{
	local status=0

	[ -z "${USHER_IN_NAMESPACES-}" ] || {
		mount -t tmpfs tmpfs /run || fail "cannot mount a tmpfs on /run"
		return
	}
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	need ip unshare setpriv python3
	unshare --mount --net --propagation private true 2>"$tmp/unshare" ||
	    skip "namespaces cannot be made: $(cat "$tmp/unshare")"
	USHER_IN_NAMESPACES=yes unshare --mount --net --propagation private \
	    "$0" || status=$?
	exit "$status"
}

# at HOST COMMAND...
at()
{
	local at=$1

	shift
	ip netns exec "$at" "$@"
}

# wire HOST DEVICE HOST DEVICE
wire()
{
	ip link add name "$2" netns "$1" type veth peer name "$4" netns "$3" ||
	    skip "there are no veth devices here"
}

# address HOST DEVICE IPV4 IPV6
address()
{
	ip -n "$1" addr add "$3" dev "$2"
	ip -n "$1" addr add "$4" dev "$2" nodad
	ip -n "$1" link set "$2" up
}

make_hosts()
{
	local name

	for name in client usher backend; do
		ip netns add "$name"
		ip -n "$name" link set lo up
	done
	wire client wire usher front
	wire backend wire usher back
	address client wire 192.0.2.2/24 2001:db8:1::2/64
	address usher front 192.0.2.1/24 2001:db8:1::1/64
	address usher back 198.51.100.1/24 2001:db8:2::1/64
	address backend wire 198.51.100.2/24 2001:db8:2::2/64
	# As a backend does whose way to the clients is by usher's host.
	ip -n client route add default via 192.0.2.1
	ip -n client -6 route add default via 2001:db8:1::1
	ip -n backend route add default via 198.51.100.1
	ip -n backend -6 route add default via 2001:db8:2::1
}

# start_who HOST ADDRESS PORT: a backend that says who it sees.
start_who()
{
	local up=$tmp/who.$2.$3

	start "who" ip netns exec "$1" \
	    python3 "$testdir/e2e/who.py" "$2" "$3" "$up"
	wait_for 10 test -e "$up" || fail "no backend at $2 port $3"
}

# start_usher_there NAME FILE [COMMAND...]: usher serve on its host, by COMMAND;
# it has to listen at 192.0.2.1:443 and [2001:db8:1::1]:443.
start_usher_there()
{
	local name=$1 file=$2

	shift 2
	need_built "$usher" "$usherd" "$relay"
	mkdir -p "$tmp/$name.run"
	chmod 1777 "$tmp/$name.run"
	RUNTIME_DIRECTORY=$tmp/$name.run start "$name" ip netns exec usher \
	    "$@" "$usher" serve -c "$file"
	usher_started=$started
	wait_for 10 logged "$name" 'listening on \[2001:db8:1::1\]:443' ||
	    fail "usher serve does not say that it listens"
}

# ask HOST-ADDRESS WORD: what a client hears that says this word; on the host
# that $client names, if it is set.
ask()
{
	# shellcheck disable=SC2016 # for the inner shell
	at "${client-client}" timeout 20 bash -c '
		exec 3<>"/dev/tcp/$0/443" && echo "$1" >&3 &&
		    read -r line <&3 && echo "$line"' "$1" "$2" 2>/dev/null
}
