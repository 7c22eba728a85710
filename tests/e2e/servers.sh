# shellcheck shell=bash disable=SC2034,SC2154
# servers.sh - the real servers of the end-to-end tests; to be sourced after
# lib.sh.  Each has its own files under $tmp and listens on $host alone, in the
# foreground; start_NAME leaves its port in $NAME_port.  None is told by usher
# who it is: each is recognised by what only it says.

# certificate NAME SUBJECT-ALT-NAMES: $tmp/NAME.crt and $tmp/NAME.key; .pem has
# both.  A client that trusts only NAME.crt talks to NAME and to nobody else.
certificate()
{
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 \
	    -nodes -days 2 -subj "/CN=$1" -addext "subjectAltName=$2" \
	    -addext basicConstraints=critical,CA:FALSE \
	    -keyout "$tmp/$1.key" -out "$tmp/$1.crt" 2>"$tmp/$1-openssl.log" ||
	    fail "openssl cannot make a certificate"
	cat "$tmp/$1.key" "$tmp/$1.crt" >"$tmp/$1.pem"
	chmod 600 "$tmp/$1.key" "$tmp/$1.pem"
}

# sshd with its own host key and one user, whoever runs the test.
start_sshd()
{
	free_port
	sshd_port=$port
	ssh-keygen -q -t ed25519 -N '' -f "$tmp/ssh_host"
	ssh-keygen -q -t ed25519 -N '' -f "$tmp/ssh_user"
	cp "$tmp/ssh_user.pub" "$tmp/authorized_keys"
	cat >"$tmp/sshd_config" <<-END
		ListenAddress $host:$sshd_port
		HostKey $tmp/ssh_host
		AuthorizedKeysFile $tmp/authorized_keys
		PidFile none
		UsePAM no
		StrictModes no
		PasswordAuthentication no
		PermitRootLogin prohibit-password
		LogLevel VERBOSE
		VersionAddendum behind-usher
	END
	# sshd of Debian wants this directory when it is started as root.
	[ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd
	start sshd "$(command -v sshd)" -D -e -f "$tmp/sshd_config"
	sshd_pid=$started
	await_listener sshd "$sshd_port"
	printf '[%s]:* %s\n' "$host" "$(cut -d' ' -f1,2 "$tmp/ssh_host.pub")" \
	    >"$tmp/known_hosts"
}

# run_ssh PORT COMMAND...: as the user who runs the test.
run_ssh()
{
	run_ssh_from 127.0.0.1 "$@"
}

# run_ssh_from ADDRESS PORT COMMAND...
run_ssh_from()
{
	local from=$1 to=$2

	shift 2
	ssh -F none -b "$from" -p "$to" -i "$tmp/ssh_user" \
	    -o IdentitiesOnly=yes -o IdentityAgent=none -o BatchMode=yes \
	    -o UserKnownHostsFile="$tmp/known_hosts" \
	    -o GlobalKnownHostsFile=none -o StrictHostKeyChecking=yes \
	    -o ConnectTimeout=10 -o LogLevel=ERROR "$host" "$@"
}

# nginx: a TLS site that says its name, and a plain one for socks clients.
start_nginx()
{
	free_port
	nginx_port=$port
	free_port
	page_port=$port
	certificate nginx DNS:www.example.net,DNS:example.net
	mkdir "$tmp/nginx"
	cat >"$tmp/nginx.conf" <<-END
		daemon off;
		pid $tmp/nginx/pid;
		error_log stderr info;
		worker_processes 1;
		events { worker_connections 256; }
		http {
			access_log $tmp/nginx/access.log;
			client_body_temp_path $tmp/nginx/body;
			proxy_temp_path $tmp/nginx/proxy;
			fastcgi_temp_path $tmp/nginx/fastcgi;
			uwsgi_temp_path $tmp/nginx/uwsgi;
			scgi_temp_path $tmp/nginx/scgi;
			server {
				listen $host:$nginx_port ssl http2;
				ssl_certificate $tmp/nginx.crt;
				ssl_certificate_key $tmp/nginx.key;
				return 200 "nginx: \$host \$ssl_server_name\n";
			}
			server {
				listen $host:$page_port;
				return 200 "the page behind the socks\n";
			}
		}
	END
	start nginx nginx -e stderr -c "$tmp/nginx.conf"
	await_listener nginx "$nginx_port"
}

# apache2 with a configuration that has nothing of /etc's.
start_apache()
{
	local modules=/usr/lib/apache2/modules

	free_port
	apache_port=$port
	certificate apache DNS:www.example.org,DNS:a.b.example.org,DNS:other.test
	mkdir -p "$tmp/apache/htdocs"
	chmod 755 "$tmp/apache" "$tmp/apache/htdocs"
	echo 'apache: another name' >"$tmp/apache/htdocs/name"
	cat >"$tmp/apache.conf" <<-END
		LoadModule mpm_event_module $modules/mod_mpm_event.so
		LoadModule authz_core_module $modules/mod_authz_core.so
		LoadModule ssl_module $modules/mod_ssl.so
		ServerRoot $tmp/apache
		ServerName localhost
		PidFile $tmp/apache/pid
		DefaultRuntimeDir $tmp/apache
		ErrorLog $tmp/apache-error.log
		LogFormat "%h %>s %r" short
		StartServers 1
		ServerLimit 2
		ThreadsPerChild 8
		MaxRequestWorkers 16
		MinSpareThreads 4
		MaxSpareThreads 16
		Listen $host:$apache_port https
		DocumentRoot $tmp/apache/htdocs
		SSLEngine on
		SSLCertificateFile $tmp/apache.crt
		SSLCertificateKeyFile $tmp/apache.key
	END
	if [ "$(id -u)" -eq 0 ]; then
		printf 'User www-data\nGroup www-data\n' >>"$tmp/apache.conf"
	fi
	start apache apache2 -D FOREGROUND -f "$tmp/apache.conf"
	await_listener apache2 "$apache_port"
}

# monit, its own page over TLS.
start_monit()
{
	free_port
	monit_port=$port
	certificate monit DNS:monit.example.net
	cat >"$tmp/monitrc" <<-END
		set daemon 600
		set log $tmp/monit-own.log
		set pidfile $tmp/monit.pid
		set idfile $tmp/monit.id
		set statefile $tmp/monit.state
		set httpd port $monit_port and
			use address $host
			with ssl { pemfile: $tmp/monit.pem }
			allow guest:"secret"
		check system small.example.net
	END
	chmod 600 "$tmp/monitrc"
	start monit monit -I -c "$tmp/monitrc"
	await_listener monit "$monit_port"
}

# May tunnels be made here?  That takes the device and CAP_NET_ADMIN (12).
find_tunnels()
{
	local capabilities

	vpn_address=198.51.100.1
	can_tunnel=no
	capabilities=$(sed -n 's/^CapEff:\t*//p' /proc/self/status)
	if [ $((0x$capabilities >> 12 & 1)) = 1 ] && [ -c /dev/net/tun ] &&
	    command -v python3 >/dev/null 2>&1; then
		can_tunnel=yes
	fi
}

# ocserv with one user of its own password file.  It runs as root only, and
# sets its groups, so that a user namespace will not do either.
start_ocserv()
{
	free_port
	ocserv_port=$port
	[ "$(id -u)" -eq 0 ] || return 0
	find_tunnels
	certificate ocserv "IP:$host"
	printf 'secret\nsecret\n' |
	    ocpasswd -c "$tmp/ocpasswd" walter >"$tmp/ocpasswd.log" 2>&1 ||
	    fail "ocpasswd does not make a password file"
	cat >"$tmp/ocserv.conf" <<-END
		auth = "plain[passwd=$tmp/ocpasswd]"
		listen-host = $host
		tcp-port = $ocserv_port
		socket-file = $tmp/ocserv.socket
		server-cert = $tmp/ocserv.crt
		server-key = $tmp/ocserv.key
		isolate-workers = false
		use-occtl = false
		pid-file = $tmp/ocserv.pid
		device = ushertest
		ipv4-network = 198.51.100.0/24
		max-clients = 4
		cookie-timeout = 60
		auth-timeout = 20
		log-level = 2
	END
	start ocserv ocserv -f -c "$tmp/ocserv.conf"
	await_listener ocserv "$ocserv_port"
}

# shadowsocks' server; ss-local is the client, see start_socks.
start_shadowsocks()
{
	free_port
	shadowsocks_port=$port
	start shadowsocks ss-server -v -s "$host" -p "$shadowsocks_port" \
	    -k 'a shared secret' -m aes-256-gcm
	await_listener ss-server "$shadowsocks_port"
}

# start_socks PORT: a socks5 port in $socks_port, through the server at PORT.
start_socks()
{
	free_port
	socks_port=$port
	start socks ss-local -v -s "$host" -p "$1" -b "$host" \
	    -l "$socks_port" -k 'a shared secret' -m aes-256-gcm
	socks_pid=$started
	await_listener ss-local "$socks_port"
}

need_six_services()
{
	need curl openssl setsid sshd ssh ssh-keygen nginx apache2 monit \
	    ocserv ocpasswd openconnect ss-server ss-local
}

start_six_services()
{
	start_sshd
	start_nginx
	start_apache
	start_monit
	start_ocserv
	start_shadowsocks
}
