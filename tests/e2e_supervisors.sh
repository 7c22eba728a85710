#!/usr/bin/env bash
# What contrib/ has for systems without systemd does what it says: each is
# started, serves, reads its rules again, and stops while a connection lives on.

# On a network and a /run of our own, where the scripts may have their way.
if [ -z "${supervised-}" ] && [ "$(id -u)" -eq 0 ] &&
    unshare --net --mount true 2>/dev/null; then
	export supervised=yes
	exec unshare --net --mount --propagation private "$0" "$@"
fi

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

[ -n "${supervised-}" ] || skip 'not root, or no namespaces'
need ip python3
need_built "$usher" "$usherd" "$relay"
ip link set lo up
mount -t tmpfs -o mode=755 tmpfs /run
contrib=$testdir/../contrib
port=443
host=127.0.0.1

# adapt FILE: it, with this test's programs and files.
adapt()
{
	sed -e "s|/usr/sbin/usherd|$usherd|g" -e "s|/usr/sbin/usher\>|$usher|g" \
	    -e "s|serve$|serve -c $tmp/usher.conf|" \
	    -e "s|serve\"\$|&|" \
	    -e "s|=serve.*|=\"serve -c $tmp/usher.conf\"|" \
	    -e "s|\" check|& -c $tmp/usher.conf|" \
	    -e "s|/etc/usher/usher.conf|$tmp/usher.conf|" \
	    -e "s|/var/log/usher|$tmp/log|" "$contrib/$1"
}

# write_rules NAME: everybody reaches the backend of this name.
write_rules()
{
	cat >"$tmp/usher.conf" <<-END
		listen = $host:$port
		log-target = stderr
		isolation = ${ISOLATION:-connection}
		[$1]
		protocol = any
		backend = $host:${backend[$1]}
	END
}

# start_backend NAME: says its name to who connects, then what they say.
start_backend()
{
	free_port
	backend[$1]=$port
	start "backend-$1" python3 -c '
import socketserver, sys
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(sys.argv[2].encode() + b"\n")
        try:
            for line in self.rfile:
                self.wfile.write(line)
        except ConnectionError:
            pass
class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()' \
	    "$port" "$1"
	await_listener "$1" "$port"
	port=443
}

# reached NAME: who connects now gets there.
reached()
{
	local line=''

	exec {probe}<>"/dev/tcp/$host/$port" || return 1
	echo hello >&"$probe"
	read -r -t 10 line <&"$probe"
	exec {probe}>&-
	[ "$line" = "$1" ]
} 2>/dev/null

# open_client: stays connected, at $client.
open_client()
{
	local line

	exec {client}<>"/dev/tcp/$host/$port"
	echo hello >&"$client"
	read -r -t 10 line <&"$client" && [ "$line" = old ] &&
	    read -r -t 10 line <&"$client" && [ "$line" = hello ]
}

client_lives()
{
	local line

	echo "$1" >&"$client"
	read -r -t 10 line <&"$client" && [ "$line" = "$1" ]
}

closed()
{
	! listening "$host" "$port"
}

# try NAME START RELOAD STOP: commands, each a word or a function's name.
try()
{
	local name=$1

	write_rules old
	check "$name: starts" "$2"
	wait_for 10 listening "$host" "$port" || fail "$name: does not listen"
	check "$name: serves" open_client
	write_rules new
	check "$name: reloads" "$3"
	check "$name: serves by the new rules" wait_for 10 reached new
	write_rules new
	echo nonsense >>"$tmp/usher.conf"
	"$3" >/dev/null 2>&1 || :
	check "$name: keeps them when the next are wrong" reached new
	check "$name: stops" "$4"
	check "$name: the port is closed" wait_for 10 closed
	check "$name: a connection lives on" client_lives "after $name"
	exec {client}>&-
}

refuses()
{
	! "$@" >/dev/null 2>&1
}

declare -A backend
start_backend old
start_backend new

# -- sysvinit

sysv_start() { "$tmp/sysvinit" start; }
sysv_reload() { "$tmp/sysvinit" reload; }
sysv_stop() { "$tmp/sysvinit" stop; }

if command -v start-stop-daemon >/dev/null; then
	adapt sysvinit/usher >"$tmp/sysvinit"
	chmod +x "$tmp/sysvinit"
	try sysvinit sysv_start sysv_reload sysv_stop
	check 'sysvinit: says that it is stopped' refuses "$tmp/sysvinit" status
	write_rules old
	echo nonsense >>"$tmp/usher.conf"
	check 'sysvinit: does not start with a mistake' \
	    refuses "$tmp/sysvinit" start
else
	check_skipped sysvinit 'no start-stop-daemon'
fi

# -- runit

runit_start() { start runsv runsv "$tmp/runit"; }
runit_reload() { sv hup "$tmp/runit" >/dev/null; }
runit_stop() { sv exit "$tmp/runit" >/dev/null; }

if command -v runsv >/dev/null; then
	mkdir -p "$tmp/runit/log" "$tmp/log"
	adapt runit/run >"$tmp/runit/run"
	adapt runit/log/run >"$tmp/runit/log/run"
	chmod +x "$tmp/runit/run" "$tmp/runit/log/run"
	try runit runit_start runit_reload runit_stop
	check 'runit: its log has the connections' \
	    wait_for 10 grep -q 'service=new.*end=' "$tmp/log/current"
else
	check_skipped runit 'not installed'
fi

# -- s6

s6_start() { start s6 s6-supervise "$tmp/s6"; }
s6_reload() { s6-svc -h "$tmp/s6"; }
s6_stop() { s6-svc -dx "$tmp/s6"; }

if command -v s6-supervise >/dev/null; then
	mkdir -p "$tmp/s6"
	adapt s6/run >"$tmp/s6/run"
	chmod +x "$tmp/s6/run"
	try s6 s6_start s6_reload s6_stop
else
	check_skipped s6 'not installed'
fi

# -- OpenRC

openrc_start() { "$tmp/init.d/usher" --nodeps start; }
openrc_reload() { "$tmp/init.d/usher" --nodeps reload; }
openrc_stop() { "$tmp/init.d/usher" --nodeps stop; }

if command -v openrc-run >/dev/null; then
	mkdir -p /run/openrc/{daemons,exclusive,failed,options,scheduled,started,starting,stopping}
	touch /run/openrc/softlevel
	mkdir "$tmp/init.d"
	adapt openrc/usher | sed "1s|.*|#!$(command -v openrc-run)|" \
	    >"$tmp/init.d/usher"
	chmod +x "$tmp/init.d/usher"
	try openrc openrc_start openrc_reload openrc_stop
else
	check_skipped openrc 'not installed'
fi

# -- super-servers: nothing to reload, a process for each connection

# try_each NAME COMMAND...
try_each()
{
	local name=$1

	shift
	write_rules old
	start "$name" "$@"
	wait_for 10 listening "$host" "$port" || fail "$name: does not listen"
	check "$name: serves" open_client
	write_rules new
	check "$name: serves by the new rules" reached new
	end_group "$started"
	check "$name: the port is closed" closed
	exec {client}>&-
}

if command -v tcpserver >/dev/null; then
	adapt inetd/tcpserver | sed 's/65534/0/g' >"$tmp/tcpserver"
	chmod +x "$tmp/tcpserver"
	try_each tcpserver "$tmp/tcpserver"
else
	check_skipped tcpserver 'not installed'
fi
if command -v xinetd >/dev/null; then
	adapt inetd/xinetd.conf | sed 's/nobody/root/' >"$tmp/xinetd.conf"
	try_each xinetd xinetd -dontfork -pidfile "$tmp/xinetd.pid" \
	    -f "$tmp/xinetd.conf"
else
	check_skipped xinetd 'not installed'
fi
done_testing
