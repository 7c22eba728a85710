#!/usr/bin/env bash
# The client's address gets through: PROXY headers from haproxy and to nginx,
# and sshd -i on the client's own socket.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=e2e/servers.sh
. "$testdir/e2e/servers.sh"
# shellcheck source=e2e/services.sh
. "$testdir/e2e/services.sh"

# haproxy in front of usher at $usher_port, saying who the client is by send-proxy
# or send-proxy-v2 ($1); its port, which is one of both families, in $port.
start_front()
{
	free_port
	cat >"$tmp/$1.cfg" <<-END
		defaults
			mode tcp
			timeout connect 5s
			timeout client 1m
			timeout server 1m
		listen front
			bind $host:$port
			${ipv6:+bind [::1]:$port}
			server usher $host:$usher_port source 127.0.0.8 $1
	END
	start "$1" haproxy -db -f "$tmp/$1.cfg"
	await_listener "$1" "$port"
}

# nginx that believes what a PROXY header says, and says it to the client: at
# both families, and at a unix socket.
start_told_nginx()
{
	free_port
	told_port=$port
	mkdir "$tmp/told"
	cat >"$tmp/told.conf" <<-END
		daemon off;
		pid $tmp/told/pid;
		error_log stderr info;
		events { }
		http {
			access_log off;
			client_body_temp_path $tmp/told/body;
			proxy_temp_path $tmp/told/proxy;
			fastcgi_temp_path $tmp/told/fastcgi;
			uwsgi_temp_path $tmp/told/uwsgi;
			scgi_temp_path $tmp/told/scgi;
			server {
				listen $host:$told_port proxy_protocol;
				${ipv6:+listen [::1]:$told_port proxy_protocol;}
				listen unix:$tmp/nginx.sock proxy_protocol;
				return 200 "you are \$proxy_protocol_addr, reached \$proxy_protocol_server_addr:\$proxy_protocol_server_port,\n";
			}
		}
	END
	start told nginx -e stderr -c "$tmp/told.conf"
	await_listener told "$told_port"
}

# haproxy as a backend that believes a PROXY header, and says it to the client:
# at both families, in the clear and with TLS, and at a unix socket.
start_told_haproxy()
{
	local text='you are %[src], reached %[dst]:%[dst_port], asked for %[fc_pp_authority]'

	free_port
	haproxy_port=$port
	free_port
	haproxy_tls_port=$port
	certificate told-haproxy DNS:www.example.net
	cat >"$tmp/told-haproxy.cfg" <<-END
		defaults
			mode http
			timeout connect 5s
			timeout client 1m
			timeout server 1m
		listen told
			bind $host:$haproxy_port accept-proxy
			${ipv6:+bind [::1]:$haproxy_port accept-proxy}
			bind unix@$tmp/haproxy.sock accept-proxy mode 666
			bind $host:$haproxy_tls_port accept-proxy ssl crt $tmp/told-haproxy.pem
			http-request return status 200 content-type text/plain lf-string "$text\n"
	END
	start told-haproxy haproxy -db -f "$tmp/told-haproxy.cfg"
	await_listener told-haproxy "$haproxy_tls_port"
}

# told_services: rules that lead to each of them, with each version, by a name
# such as nginx6-v1.example.net.
told_services()
{
	local version name

	for version in v1 v2; do
		for name in "${!told_at[@]}"; do
			cat <<-END
				[$name-$version]
				http-host = $name-$version.example.net
				backend = ${told_at[$name]}
				proxy-protocol = $version
			END
		done
	done
}

# start_passed_usher FILE: usher serve with these rules, at sockets that come
# from a super-server: $tmp/front.sock, and one of IPv6 that IPv4 clients reach,
# at $mapped_port.
start_passed_usher()
{
	free_port
	mapped_port=$port
	mkdir -p "$tmp/passed-run"
	chmod 1777 "$tmp/passed-run"
	RUNTIME_DIRECTORY=$tmp/passed-run start passed systemd-socket-activate \
	    -l "$tmp/front.sock" -l "[::ffff:$host]:$port" \
	    --setenv=RUNTIME_DIRECTORY --setenv=PATH "$usher" serve -c "$1"
	wait_for 40 test -S "$tmp/front.sock" || fail "no socket is made"
}

# fetch_from ADDRESS PORT [ARGUMENT...]
fetch_from()
{
	local from=$1 to=$2

	shift 2
	curl -sS --max-time 20 --noproxy '*' --interface "$from" "$@" \
	    "http://$host:$to/"
}

# Empty where the system is without.
ipv6=
! grep -q '^0*1 ' /proc/net/if_inet6 2>/dev/null || ipv6=yes

need curl setsid nginx haproxy openssl python3 sshd ssh ssh-keygen
need_built "$build/contrib/pass/usher-receive"
start_told_nginx
start_told_haproxy
start_sshd
declare -A told_at=(
	[nginx]=$host:$told_port [nginx-unix]=unix:$tmp/nginx.sock
	[haproxy]=$host:$haproxy_port [haproxy-unix]=unix:$tmp/haproxy.sock
)
[ -z "$ipv6" ] || told_at+=(
	[nginx6]="[::1]:$told_port" [haproxy6]="[::1]:$haproxy_port"
)

# Takes what usher passes, and runs sshd on it.
start receiver "$build/contrib/pass/usher-receive" --listen "$tmp/receive.sock" \
    "$(command -v sshd)" -i -e -f "$tmp/sshd_config"
wait_for 10 test -S "$tmp/receive.sock"
# Only who may connect to it can pass anything: here usher, whoever it is.
chmod 666 "$tmp/receive.sock"
chmod 711 "$tmp"

{
	echo 'log-target = stderr'
	echo "isolation = ${ISOLATION:-connection}"
	echo 'accept-proxy = 127.0.0.8'
	# Only root may let others in, by sshd; this is what says so.
	[ "$(id -u)" -ne 0 ] || echo 'user = root'
	told_services
	cat <<-END
		[tls]
		server-name = *
		backend = $host:$haproxy_tls_port
		proxy-protocol = v2
		[plain]
		protocol = http
		backend = $host:$told_port
		proxy-protocol = v2
		[passed]
		protocol = ssh
		from = 127.0.0.7
		pass = unix:$tmp/receive.sock
		[ssh]
		protocol = ssh silent
		exec = $(command -v sshd) -i -e -f $tmp/sshd_config
	END
} >"$tmp/usher.conf"
start_usher usher "$tmp/usher.conf" ${ipv6:+--listen '[::1]:0'}
usher_port=$port
usher_port6=$(sed -n 's/.*listening on \[::1\]:\([0-9]*\).*/\1/p' "$tmp/usher.log")

# is_told FRONT CLIENT REACHED [ARGUMENT...]: each of them, by each version, of a
# client that curl is with these arguments.
is_told()
{
	local front=$1 client=$2 reached=$3 version name

	shift 3
	for version in v1 v2; do
		for name in "${!told_at[@]}"; do
			check "$name is told by PROXY $version of a client at $front" \
			    says "you are $client, reached $reached," \
			    curl -sS --max-time 20 --noproxy '*' "$@" \
			    -H "Host: $name-$version.example.net"
		done
	done
}

# nobody_is_told NAME TEXT: of a client of a unix socket.
nobody_is_told()
{
	local version

	for version in v1 v2; do
		check "$1 is told by PROXY $version of a client of a unix socket" \
		    says "$2" curl -sS --max-time 20 --unix-socket \
		    "$tmp/front.sock" "http://$1-$version.example.net/"
	done
}

is_told 'an IPv4 socket' 127.0.0.6 "$host:$usher_port" \
    --interface 127.0.0.6 "http://$host:$usher_port/"
[ -z "$ipv6" ] || is_told 'an IPv6 socket' ::1 "::1:$usher_port6" \
    "http://[::1]:$usher_port6/"
check "haproxy is told the name that a TLS client asked for" \
    says "you are 127.0.0.6, reached $host:$usher_port, asked for www.example.net" \
    curl -sS --max-time 20 --noproxy '*' --interface 127.0.0.6 \
    --cacert "$tmp/told-haproxy.crt" \
    --connect-to "::$host:$usher_port" https://www.example.net/
for header in send-proxy send-proxy-v2; do
	start_front "$header"
	check "haproxy's $header is believed, and passed on to nginx" \
	    says 'you are 127.0.0.6' fetch_from 127.0.0.6 "$port"
	[ -z "$ipv6" ] || check "... and of an IPv6 client, by way of IPv4" \
	    says "you are ::1, reached ::1:$port," \
	    curl -sS --max-time 20 --noproxy '*' "http://[::1]:$port/"
done

if command -v systemd-socket-activate >/dev/null && [ -n "$ipv6" ]; then
	start_passed_usher "$tmp/usher.conf"
	# By whom nothing is told: nginx has no address then, haproxy the
	# sender's, which a unix socket has not.
	for name in nginx nginx6 nginx-unix; do
		nobody_is_told "$name" 'you are , reached :,'
	done
	nobody_is_told haproxy "you are 127.0.0.1, reached ${told_at[haproxy]},"
	nobody_is_told haproxy6 "you are ::1, reached ::1:$haproxy_port,"
	nobody_is_told haproxy-unix 'you are , reached :,'
	is_told 'an IPv6 socket for IPv4' 127.0.0.6 "$host:$mapped_port" \
	    --interface 127.0.0.6 "http://$host:$mapped_port/"
else
	check_skipped "clients of a unix socket, and of a socket for both" \
	    "systemd-socket-activate or IPv6 is not there"
fi

# Through usher sshd sees no relay's address but the client's own.
shared=$usher_port
check "exec = sshd -i: the session sees the client's address" \
    says "127.0.0.6 " run_ssh_from 127.0.0.6 "$usher_port" "echo \$SSH_CONNECTION"
check "exec = sshd -i: it is reached at usher's port" \
    says " $host $usher_port" \
    run_ssh_from 127.0.0.6 "$usher_port" "echo \$SSH_CONNECTION"
check "exec = sshd -i: a megabyte each way" bulk_through_ssh
# Nothing of usher's sandbox may cripple a session: sudo has to work in it.
for road in 127.0.0.6:exec 127.0.0.7:pass; do
	check "${road#*:}: the session is not restricted" \
	    says 'NoNewPrivs:0 Seccomp:0 ' run_ssh_from "${road%:*}" \
	    "$usher_port" "grep -E 'NoNewPrivs|Seccomp:' /proc/self/status |
		tr -d '\t' | tr '\n' ' '"
done
check "pass: the session sees the client's address and port reached" \
    says "127.0.0.7 " run_ssh_from 127.0.0.7 "$usher_port" \
    "echo \$SSH_CONNECTION"
done_testing
