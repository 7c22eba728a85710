# shellcheck shell=bash disable=SC2034,SC2154
# rules.sh - six services behind one port, as a rules file; to be sourced after
# servers.sh.  The same in the words of haproxy lets the tests be tried on a
# program that is not ours.

# write_rules FILE [SETTING...]: for the servers that servers.sh has started.
write_rules()
{
	local file=$1

	shift
	cat >"$file" <<-END
		inspect-timeout = 3s
		connect-timeout = 5s
		max-connections = 2000
		$(printf '%s\n' "$@")

		[monit]
		server-name = monit.example.net
		backend = $host:$monit_port

		[nginx]
		server-name = www.example.net example.net
		backend = $host:$nginx_port

		[apache]                      # any other name
		server-name = *.example.org *
		backend = $host:$apache_port

		[ocserv]                      # TLS without a name
		protocol = tls
		backend = $host:$ocserv_port
		idle-timeout = 24h

		[openssh]
		protocol = ssh silent
		backend = $host:$sshd_port
		idle-timeout = 3h

		[shadowsocks]                 # whatever else speaks first
		protocol = any
		backend = $host:$shadowsocks_port
	END
}

# start_haproxy: the same rules; leaves its port in $port.
start_haproxy()
{
	free_port
	cat >"$tmp/haproxy.cfg" <<-END
		defaults
			mode tcp
			maxconn 2000
			timeout connect 5s
			timeout client 1h
			timeout server 1h
		frontend ssl
			bind $host:$port
			tcp-request inspect-delay 3s
			tcp-request content accept if { req.ssl_hello_type 1 }
			acl ssh payload(0,7) -m bin 5353482d322e30
			acl monit req.ssl_sni -i monit.example.net
			acl nginx req.ssl_sni -i www.example.net example.net
			acl apache req.ssl_sni -m found
			use_backend monit if monit { req.ssl_hello_type 1 }
			use_backend nginx if nginx { req.ssl_hello_type 1 }
			use_backend apache if apache { req.ssl_hello_type 1 }
			use_backend ocserv if { req.ssl_hello_type 1 }
			use_backend openssh if ssh
			use_backend openssh if { req.len 0 }
			use_backend shadowsocks if !{ req.len 0 }
		backend monit
			server s $host:$monit_port
		backend nginx
			server s $host:$nginx_port
		backend apache
			server s $host:$apache_port
		backend ocserv
			server s $host:$ocserv_port
		backend openssh
			server s $host:$sshd_port
		backend shadowsocks
			server s $host:$shadowsocks_port
	END
	start haproxy haproxy -db -f "$tmp/haproxy.cfg"
	await_listener haproxy "$port"
}
