#!/usr/bin/env bash
# "transparent = yes" between hosts of the test's own: the address that the
# backend sees, what "usher check" says of each thing that can be missing, and
# that the commands it says are the ones that help.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=e2e/hosts.sh
. "$testdir/e2e/hosts.sh"

in_namespaces
need nft sysctl
export USHER_NFT=$testdir/../contrib/transparent/usher.nft
set_up=$testdir/../contrib/transparent/usher-transparent

# The backends: on another host, and on usher's own, in both families.
# shellcheck disable=SC2034 # by way of ${!name}
far='198.51.100.2:7000 [2001:db8:2::2]:7000'
# shellcheck disable=SC2034
loop='127.0.0.1:7001 [::1]:7001'
# shellcheck disable=SC2034
own='192.0.2.1:7002 [2001:db8:1::1]:7002'

write_rules()
{
	local name

	cat <<-END
		log-target = stderr
		isolation = ${ISOLATION:-connection}
		connect-timeout = 400ms
		listen = 127.0.0.1:443 192.0.2.1:443 [2001:db8:1::1]:443
	END
	for name in far loop own; do
		cat <<-END
			[$name]
			payload = "$name"
			backend = ${!name}
			transparent = yes
		END
	done
	cat <<-END
		[four]
		payload = "four"
		backend = 127.0.0.1:7001
		transparent = yes
	END
}

# sees_client ADDRESS WORD: does the backend see the client as it is?
sees_client()
{
	local wanted=192.0.2.2 answer

	case $1 in
	*:*) wanted=2001:db8:1::2 ;;
	esac
	# Neighbours may have to find each other first: no answer is no answer
	# yet, another one is wrong.
	for _ in 1 2 3 4 5; do
		answer=$(ask "$1" "$2") || :
		[ -z "$answer" ] || break
	done
	[ "${answer% *}" = "$wanted" ] || {
		printf '# expected %s, got "%s"\n' "$wanted" "$answer"
		return 1
	}
	# Whose connection it is can be told from the port in the log.
	wait_for 10 logged "$serving" \
	    "service=$2 .*client=$wanted .*local_port=${answer#* } "
}

# all_see_client NAME...: of each, over IPv4 and IPv6.
all_see_client()
{
	local name

	for name; do
		check "$name, IPv4: the backend sees the client" \
		    sees_client 192.0.2.1 "$name"
		check "$name, IPv6: the backend sees the client" \
		    sees_client 2001:db8:1::1 "$name"
	done
}

is_silent()
{
	[ -z "$(ask "$1" "$2")" ]
}

# check_rules [COMMAND...]: what usher check says, run by COMMAND.
check_rules()
{
	at usher "$@" "$usher" check -c "$tmp/usher.conf" 2>&1
}

# warns TEXT [COMMAND...]
warns()
{
	local text=$1 said

	shift
	said=$(check_rules "$@") || return
	case $said in
	*": warning: "*"$text"*) ;;
	*)
		printf '# expected "%s" in:\n%s\n' "$text" "$said"
		return 1
		;;
	esac
}

is_content()
{
	local said

	said=$(check_rules "$@") && ! grep 'warning:' <<<"$said"
}

# follow_advice: types what usher check says, one warning after the other,
# until it has none left; as somebody would in the top directory.
follow_advice()
{
	local said advice typed=0

	while said=$(check_rules | grep 'warning:' | head -n 1) && [ -n "$said" ]; do
		advice=${said##*usher: }
		typed=$((typed + 1))
		[ "$typed" -le 12 ] || return
		echo "# $advice"
		(cd "$testdir/.." && at usher sh -ec "$advice" >/dev/null) ||
		    return
	done
	[ "$typed" -gt 0 ]
}

# serve: usher, anew: what it has said before does not keep it quiet, and its
# log, $serving, has no more than what is wrong now.
serve()
{
	[ -z "${usher_started-}" ] || end_group "$usher_started"
	serving=usher-$((${serving##*-} + 1))
	start_usher_there "$serving" "$tmp/usher.conf"
}

# What usher check says of missing ways back, as who usherd has become, who may
# not ask nft.
seen_by_usherd()
{
	check_rules setpriv --reuid 65534 --regid 65534 --clear-groups |
	    grep -F 'nothing leads back to usher: '
}

told_in_log()
{
	[ "$(grep -F 'nothing leads back to usher: ' "$tmp/$serving.log" |
	    sed 's/^usherd: //')" = "$1" ]
}

# log_tells TEXT: of the connection that has failed, exactly what is missing;
# of what usherd cannot see, that it may be missing.
log_tells()
{
	local wanted

	wanted=$(seen_by_usherd) || {
		wait_for 10 logged "$serving" ": no answer of .*${1##*usher: }"
		return
	}
	wait_for 10 told_in_log "$wanted" || {
		printf '# expected "%s" in:\n%s\n' "$wanted" \
		    "$(cat "$tmp/$serving.log")"
		return 1
	}
	case $wanted in
	*"${1##*usher: }"*) ;;
	*)
		printf '# expected "%s", not %s\n' "$1" "$wanted"
		return 1
		;;
	esac
}

# broken WHAT TEXT COMMAND...: without it, connections fail and usher check
# says TEXT, and so does the log; what they say helps.
broken()
{
	local what=$1 text=$2 from=$3 name=$4

	shift 4
	at usher "$@"
	serve
	check "$what: usher check says so" warns "$text"
	check "$what: no connection" is_silent "$from" "$name"
	check "$what: the log says so" log_tells "$text"
	check "$what: what usher check says helps" follow_advice
	check "$what: then there is one" sees_client "$from" "$name"
}

# fake_systemctl LINE...: one that says this of usher.service.
fake_systemctl()
{
	mkdir -p "$tmp/bin"
	{
		echo '#!/bin/sh'
		printf "echo '%s'\n" "$@"
	} >"$tmp/bin/systemctl"
	chmod 755 "$tmp/bin" "$tmp/bin/systemctl"
}

# capabilities NAME: in force, of all processes on usher's host called so.
capabilities()
{
	local pid name

	for pid in $(ip netns pids usher); do
		read -r name 2>/dev/null <"/proc/$pid/comm" || continue
		[ "$name" != "$1" ] || grep CapEff "/proc/$pid/status"
	done | sort -u | tr -d '\t'
}

# has_capabilities NAME SET: there are such processes, and all have this.
has_capabilities()
{
	[ "$(capabilities "$1")" = "CapEff:$2" ]
}

# second_wire: usher sends by it what comes from clients.
second_wire()
{
	wire usher other backend other
	address usher other 203.0.113.1/24 2001:db8:3::1/64
	address backend other 203.0.113.2/24 2001:db8:3::2/64
	at usher ip route add 198.51.100.0/24 via 203.0.113.2 table 50
	at usher ip rule add from 192.0.2.0/24 lookup 50
}

make_hosts
start_who backend 198.51.100.2 7000
start_who backend 2001:db8:2::2 7000
start_who usher 127.0.0.1 7001
start_who usher ::1 7001
start_who usher 192.0.2.1 7002
start_who usher 2001:db8:1::1 7002
write_rules >"$tmp/usher.conf"
fake_systemctl LoadState=not-found
PATH=$tmp/bin:$PATH

# Nothing has been set up yet.
serving='usher-0'
serve
check "without any set-up: no connection" is_silent 192.0.2.1 far
check "... and the log says what it takes" logged "$serving" \
    'far: no answer of 198.51.100.2:7000 .*ip rule add fwmark 0x443 lookup 443 && ip route add local default dev lo table 443'
check "... and which parts of that are missing, all of them" \
    log_tells 'ip rule add fwmark 0x443 lookup 443 && ip route add local default dev lo table 443'
check "... of a backend on the same host" is_silent 192.0.2.1 loop
check "... and for it something else" logged "$serving" \
    'loop: no answer of 127.0.0.1:7001 .*ip rule add from 127.0.0.0/8 iif lo lookup 443'
check "what usher check says helps, typed as it is" follow_advice
all_see_client far loop own

# And with the ready set-up, from nothing.
at usher "$set_up" down
check "usher-transparent down: all is gone" is_silent 192.0.2.1 far
at usher "$set_up" up
at usher "$set_up" up
check "usher-transparent up: usher check has nothing to say" is_content
all_see_client far loop own

broken "no rule for marked answers" \
    '"198.51.100.2" answers to the client'\''s address, from where nothing leads back to usher: ip rule add fwmark 0x443 lookup 443' \
    192.0.2.1 far ip rule delete fwmark 0x443 lookup 443
broken "the same for IPv6" \
    'ip -6 rule add fwmark 0x443 lookup 443' \
    2001:db8:1::1 far ip -6 rule delete fwmark 0x443 lookup 443
broken "no rule for 127.0.0.0/8" \
    'ip rule add from 127.0.0.0/8 iif lo lookup 443' \
    192.0.2.1 loop ip rule delete from 127.0.0.0/8 iif lo lookup 443
at usher ip -6 rule delete from ::1 iif lo lookup 443
check "no rule for ::1: its answers can be marked instead" is_content
check "no rule for ::1: there is a connection" sees_client 2001:db8:1::1 loop
broken "nor marks" 'ip -6 rule add from ::1 iif lo lookup 443' \
    2001:db8:1::1 loop nft delete table inet usher
broken "an empty table" 'usher: ip route add local default dev lo table 443' \
    192.0.2.1 loop ip route flush table 443
broken "an empty table of IPv6" \
    'usher: ip -6 route add local default dev lo table 443' \
    2001:db8:1::1 own ip -6 route flush table 443
broken "nothing that marks" 'usher: nft -f contrib/transparent/usher.nft' \
    192.0.2.1 far nft delete table inet usher
broken "src_valid_mark" 'usher: sysctl net.ipv4.conf.all.src_valid_mark=0' \
    192.0.2.1 far sysctl -qw net.ipv4.conf.all.src_valid_mark=1

# Two wires to the backend: what comes from clients goes out by the other one,
# and answers come in elsewhere than they would be sent to.
second_wire
check "another way out, without rp_filter: usher check has nothing to say" \
    is_content
check "another way out, without rp_filter: there is a connection" \
    sees_client 192.0.2.1 far
broken "rp_filter" 'usher: sysctl net.ipv4.conf.back.rp_filter=2' \
    192.0.2.1 far sysctl -qw net.ipv4.conf.all.rp_filter=1
at usher ip rule delete from 192.0.2.0/24 lookup 50
at usher sysctl -qw net.ipv4.conf.back.rp_filter=1
check "strict rp_filter is no obstacle by itself" sees_client 192.0.2.1 far
check "strict rp_filter by itself: usher check has nothing to say" is_content

here()
{
	client=usher ask 127.0.0.1 "$1" | cut -d' ' -f1
}
check "a client on usher's own host, and its backend there" \
    test "$(here loop)" = 127.0.0.1
check "a client on usher's own host, seen from elsewhere" \
    test "$(here far)" = 198.51.100.1
check "a client of a family that no backend has: an error" \
    is_silent 2001:db8:1::1 four
check "... which the log names" wait_for 10 logged "$serving" \
    'service=four client=2001:db8:1::2 .*error="?Address family.*end=error'
check "... and the backend is not to blame" sees_client 192.0.2.1 four

# Rights: usher serve was root, and is nobody with one capability, 13.
check "usherd keeps CAP_NET_RAW and no other" \
    has_capabilities usherd 0000000000002000
at client timeout 20 bash -c 'exec 3<>/dev/tcp/192.0.2.1/443 &&
    echo far >&3 && read -r line <&3 && exec sleep 20' &
holder=$!
check "a connection that stays has a relay without any capability" \
    wait_for 10 has_capabilities usher-relay 0000000000000000
kill "$holder"

check "a user without the right is told" \
    warns 'needs CAP_NET_RAW: start usher as root' \
    setpriv --reuid 65534 --regid 65534 --clear-groups
fake_systemctl LoadState=loaded DynamicUser=yes NoNewPrivileges=yes User= \
    AmbientCapabilities= CapabilityBoundingSet= PrivateUsers=yes
check "the unit without the drop-in is told" \
    warns 'usher.service does not give it: systemctl edit usher'
fake_systemctl LoadState=loaded DynamicUser=yes NoNewPrivileges=yes User= \
    AmbientCapabilities=cap_net_raw CapabilityBoundingSet=cap_net_raw \
    PrivateUsers=no
check "the unit with the drop-in is not" is_content

end_group "$usher_started"
start_usher_there powerless "$tmp/usher.conf" \
    setpriv --bounding-set -net_raw,-net_admin
check "without the right: no connection" is_silent 192.0.2.1 loop
check "... and the log says what it takes" wait_for 10 logged powerless \
    'loop: transparent = yes needs CAP_NET_RAW: .*contrib/transparent'
check "... on the connection's own line as well" wait_for 10 \
    logged powerless 'service=loop .*error="Operation not permitted" end=error'
done_testing
