#!/usr/bin/env bash
# The six services of e2e_seed.sh once more, with the port held by each kind of
# super-server: systemd's (both kinds of Accept=), xinetd, socat, tcpserver, and
# inetd's wait, where descriptor 0 is the listening socket.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=e2e/servers.sh
. "$testdir/e2e/servers.sh"
# shellcheck source=e2e/rules.sh
. "$testdir/e2e/rules.sh"
# shellcheck source=e2e/services.sh
. "$testdir/e2e/services.sh"

# serve NAME COMMAND...: a super-server that listens on $host:$shared.
serve()
{
	local name=$1

	start "$@"
	await_listener "$name" "$shared"
	start_socks "$shared"
	check_services "$name"
	end_group "$socks_pid"
}

with_systemd()
{
	need_or_skip systemd-socket-activate || return 0
	free_port
	shared=$port
	serve systemd-accept-no systemd-socket-activate \
	    -E RUNTIME_DIRECTORY="$tmp/run" -l "$host:$shared" \
	    "$usher" serve -c "$tmp/usher.conf"
	free_port
	shared=$port
	serve systemd-accept-yes systemd-socket-activate \
	    --inetd --accept -l "$host:$shared" \
	    "$usherd" --inetd "$tmp/usher.conf"
	free_port
	shared=$port
	serve listening-socket-at-0 systemd-socket-activate \
	    --inetd -l "$host:$shared" "$usherd" --inetd "$tmp/usher.conf"
}

# xinetd_conf WAIT
xinetd_conf()
{
	cat <<-END
		defaults
		{
			log_type = FILE $tmp/xinetd-own.log
		}
		service usher
		{
			type = UNLISTED
			socket_type = stream
			protocol = tcp
			bind = $host
			port = $shared
			wait = $1
			user = $(id -un)
			instances = UNLIMITED
			cps = 1000 1
			server = $usherd
			server_args = --inetd $tmp/usher.conf
		}
	END
}

with_xinetd()
{
	local wait

	need_or_skip xinetd || return 0
	for wait in no yes; do
		free_port
		shared=$port
		xinetd_conf "$wait" >"$tmp/xinetd-wait-$wait.conf"
		serve "xinetd-wait-$wait" xinetd -dontfork \
		    -pidfile "$tmp/xinetd-$wait.pid" \
		    -f "$tmp/xinetd-wait-$wait.conf"
	done
}

with_socat()
{
	need_or_skip socat || return 0
	free_port
	shared=$port
	serve socat socat \
	    "TCP-LISTEN:$shared,bind=$host,reuseaddr,fork,backlog=64" \
	    "EXEC:$usherd --inetd $tmp/usher.conf,nofork"
}

with_tcpserver()
{
	need_or_skip tcpserver || return 0
	free_port
	shared=$port
	serve tcpserver tcpserver -v -HR -l 0 "$host" "$shared" \
	    "$usherd" --inetd "$tmp/usher.conf"
}

# need_or_skip PROGRAM: this way is left out, with a word, where it is missing.
need_or_skip()
{
	command -v "$1" >/dev/null 2>&1 && return 0
	check_skipped "$1" "not installed"
	return 1
}

need_six_services
need_built "$usher" "$usherd" "$relay"
start_six_services
write_rules "$tmp/usher.conf" 'silence-timeout = 700ms' \
    "isolation = ${ISOLATION:-connection}"
mkdir -m 1777 "$tmp/run"

for way in ${WAYS:-systemd xinetd socat tcpserver}; do
	"with_$way"
done
done_testing
