# shellcheck shell=bash disable=SC2034,SC2154
# services.sh - one check per service, each with its own client, of the one
# port they share; to be sourced after servers.sh.  What tells the services
# apart is their own certificates, their own words and their own logs.

# page NAME URL [ARGUMENT...]: fetch it through $shared, trusting NAME alone.
page()
{
	local name=$1 url=$2

	shift 2
	curl -sS --max-time 20 --noproxy '*' --cacert "$tmp/$name.crt" \
	    --connect-to "::$host:$shared" "$@" "$url"
}

# says TEXT COMMAND...: does it print a line with that text?
says()
{
	local text=$1 answer

	shift
	answer=$("$@") || return
	case $answer in
	*"$text"*) ;;
	*)
		printf '# expected "%s" in: %.300s\n' "$text" "$answer"
		return 1
		;;
	esac
}

# The session's environment names the port sshd itself was reached at.
ssh_is_served_by_sshd()
{
	says " $host $sshd_port marker-$$" \
	    run_ssh "$shared" "echo \$SSH_CONNECTION marker-$$" </dev/null
}

silent_client_gets_banner()
{
	local line=

	exec 3<>"/dev/tcp/$host/$shared" || return
	read -r -t 10 line <&3 || :
	exec 3<&- 3>&-
	case $line in
	SSH-2.0-OpenSSH*behind-usher*) ;;
	*)
		printf '# expected a banner of sshd, got "%s"\n' "$line"
		return 1
		;;
	esac
}

# The address in the URL is no name: no client sends it as one.
address_reaches_ocserv()
{
	says 'config-auth client="vpn"' \
	    page ocserv "https://$host:$shared/"
}

# bulk_through_ssh: a megabyte each way, unchanged.
bulk_through_ssh()
{
	head -c 1048576 /dev/urandom >"$tmp/bulk"
	run_ssh "$shared" cat <"$tmp/bulk" >"$tmp/bulk.back" &&
	    cmp "$tmp/bulk" "$tmp/bulk.back"
}

# ocserv's key, as openconnect names it: not every ocserv writes a line about
# whom it lets in.
ocserv_pin()
{
	openssl x509 -in "$tmp/ocserv.crt" -noout -pubkey |
	    openssl pkey -pubin -outform DER |
	    openssl dgst -sha256 -binary | base64
}

openconnect_gets_cookie()
{
	says "COOKIE='" ask_for_cookie &&
	    says "FINGERPRINT='pin-sha256:$(ocserv_pin)'" ask_for_cookie
}

ask_for_cookie()
{
	echo secret | timeout 20 openconnect --authenticate --no-dtls \
	    --cafile "$tmp/ocserv.crt" --user walter --passwd-on-stdin \
	    "https://$host:$shared/" 2>"$tmp/openconnect.log"
}

# A packet through the tunnel to ocserv's end of it and back.
tunnel_carries_packets()
{
	local status=0

	: >"$tmp/tunnel.log"
	echo secret >"$tmp/vpn-password"
	start tunnel bash -c 'exec "$@" <"$0"' "$tmp/vpn-password" \
	    openconnect --no-dtls --non-inter --cafile "$tmp/ocserv.crt" \
	    --user walter --passwd-on-stdin --script-tun \
	    --script "python3 $testdir/e2e/ping.py $vpn_address" \
	    "https://$host:$shared/"
	wait_for 15 logged tunnel "answer from $vpn_address" || status=1
	end_group "$started"
	return "$status"
}

socks_reaches_page()
{
	says 'the page behind the socks' \
	    curl -sS --max-time 20 --socks5-hostname "$host:$socks_port" \
	    "http://$host:$page_port/" &&
	    logged shadowsocks "connect to $host:$page_port"
}

# check_services HOW: all of them at $shared; HOW is said in each line.
check_services()
{
	local how=$1 silent bulk

	# These take their time, the others meanwhile take none of it.
	silent_client_gets_banner >"$tmp/silent" 2>&1 &
	silent=$!
	bulk_through_ssh >"$tmp/bulk.out" 2>&1 &
	bulk=$!

	check "$how: ssh reaches sshd" ssh_is_served_by_sshd
	check "$how: monit.example.net is monit" says 'Monit: small' \
	    page monit https://monit.example.net/ -u guest:secret
	check "$how: www.example.net is nginx" says 'nginx: www.example.net' \
	    page nginx https://www.example.net/
	check "$how: EXAMPLE.net is nginx" says 'nginx: example.net' \
	    page nginx https://EXAMPLE.net/
	check "$how: nginx over HTTP/1.1 and no ALPN" \
	    says 'nginx: www.example.net' \
	    page nginx https://www.example.net/ --no-alpn --http1.1
	check "$how: TLS 1.2 reaches nginx" says 'nginx: www.example.net' \
	    page nginx https://www.example.net/ --tls-max 1.2
	check "$how: www.example.org is apache" says 'apache: another name' \
	    page apache https://www.example.org/name
	check "$how: a.b.example.org is apache" says 'apache: another name' \
	    page apache https://a.b.example.org/name
	check "$how: other.test is apache" says 'apache: another name' \
	    page apache https://other.test/name
	if [ "$(id -u)" -eq 0 ]; then
		check "$how: https://$host/ is ocserv" address_reaches_ocserv
		check "$how: openconnect gets a cookie" openconnect_gets_cookie
		if [ "$can_tunnel$rounds" = yes1 ]; then
			check "$how: the tunnel carries packets" \
			    tunnel_carries_packets
		fi
	else
		check_skipped "$how: https://$host/ is ocserv" \
		    "ocserv needs root"
	fi
	check "$how: a page through shadowsocks" socks_reaches_page
	check "$how: ssh carries a megabyte each way" \
	    went_well "$bulk" "$tmp/bulk.out"
	check "$how: a silent client hears sshd" \
	    went_well "$silent" "$tmp/silent"
	check "$how: nobody got another's clients" nobody_got_strangers
	rounds=$((rounds + 1))
}

# Three of the checks are for sshd and one for shadowsocks: each round leaves
# exactly so many lines in their logs.  (The rest have certificates.)
rounds=1

nobody_got_strangers()
{
	wait_for 5 lines sshd '^Connection from ' $((3 * rounds)) &&
	    wait_for 5 lines shadowsocks 'new connection from client' "$rounds"
}

# lines NAME PATTERN COUNT: are there as many lines like that in NAME's log?
lines()
{
	[ "$(grep -cE -- "$2" "$tmp/$1.log")" -eq "$3" ]
}

# went_well PID FILE: what was left running, and what it said if it did not.
went_well()
{
	wait "$1" || {
		cat "$2"
		return 1
	}
}
