#!/usr/bin/env bash
# usher explain: where first bytes lead, and why, in one run.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

usher=$builddir/src/usher
need_built "$usher"
need python3

cat >"$tmp/rules.conf" <<-END
	inspect-timeout = 2s
	[web]
	server-name = www.example.com
	backend = 127.0.0.1:8443
	[lan]
	protocol = http
	from = 192.0.2.0/24
	backend = 127.0.0.1:8080
	[admin]
	local = :8022
	backend = 127.0.0.1:2222
	[ssh]
	protocol = ssh silent
	backend = 127.0.0.1:22
	[no]
	protocol = tls
	reject = reset
END

explain()
{
	"$usher" explain -c "$tmp/rules.conf" "$@"
}

# tells EXPRESSION [ARGUMENT...]: it holds of the object d that explain prints
# for standard input.
tells()
{
	local expression=$1

	shift
	explain --json "$@" >"$tmp/json" || return
	python3 -c "import json; d = json.load(open('$tmp/json')); assert $expression, d"
}

bytes_tell()
{
	local bytes=$1

	shift
	# shellcheck disable=SC2059 # it is a format
	tells "$@" < <(printf "$bytes")
}

vector_tells()
{
	tells "$2" "$testdir/vectors/$1.bin"
}

# Its reason names the key and the byte.
says_why()
{
	printf 'GET / HTTP/1.1\r\n' | explain --from 198.51.100.1 >"$tmp/out" &&
	    grep -qE '^ +lan +no +from: the client is 198\.51\.100\.1' "$tmp/out" &&
	    grep -qE "^ +ssh +no +protocol: .*byte 0 \(0x47 'G'\)" "$tmp/out"
}

# And what they are, with where that is defined.
says_what()
{
	printf 'SSH-2.0-x\r\n' | explain >"$tmp/out" &&
	    grep -qx 'protocol     ssh: Secure Shell, any version (RFC 4253, 4\.2)' "$tmp/out" &&
	    explain /dev/null | grep -qx 'protocol     silent' &&
	    printf 'zzzz' | explain | grep -qx 'protocol     none that is known'
}

counts_bytes()
{
	explain /dev/null | grep -q '^now: wait for more (at least 1 byte)$'
}

# Of HTTP/2 in the clear, too: host and path, and why a rule does not fit.
says_what_http2_asks_for()
{
	cat >"$tmp/http.conf" <<-END
		[other]
		http-host = www.example.net
		backend = 127.0.0.1:1
		[deep]
		http-path = /deep
		backend = 127.0.0.1:2
	END
	"$usher" explain -c "$tmp/http.conf" \
	    "$testdir/vectors/cap_http2_nghttp.bin" >"$tmp/out" &&
	    grep -q '^http host    "127.0.0.1"' "$tmp/out" &&
	    grep -q '^http path    "/"' "$tmp/out" &&
	    grep -q '^ *other *no *http-host: the host is "127.0.0.1"' "$tmp/out" &&
	    grep -q '^ *deep *no *http-path: the path is "/"' "$tmp/out" &&
	    printf 'SSH-2.0-x' | "$usher" explain -c "$tmp/http.conf" >"$tmp/out" &&
	    grep -q '^ *other *no *http-host: no host of an HTTP request' "$tmp/out"
}

# one_client WORDS [ARGUMENT...]: what explain says, in $tmp/out, of a client
# that does so, in Python.
one_client()
{
	local words=$1 waiting port

	shift
	: >"$tmp/err"
	explain "$@" --listen 127.0.0.1:0 --save "$tmp/saved" \
	    >"$tmp/out" 2>"$tmp/err" &
	waiting=$!
	wait_for 10 grep -q 'waiting for one client' "$tmp/err" || return
	port=$(sed -n 's/.*:\([0-9]*\)$/\1/p' "$tmp/err")
	python3 - "$port" <<-END || return
		import socket, struct, sys
		client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
		on = struct.pack("ii", 1, 0)
		$words
	END
	wait "$waiting"
}

one_client_tells()
{
	one_client "$1" --json &&
	    python3 -c "import json; d = json.load(open('$tmp/out')); assert $2, d"
}

# Its bytes are kept, and it is closed in order.
keeps_bytes()
{
	one_client_tells \
	    'client.sendall(b"SSH-2.0-test\r\n"); assert client.recv(1) == b""' \
	    "(d['service'], d['verdict'], d['gone']) == ('ssh', 'route', False)" &&
	    [ "$(cat "$tmp/saved")" = $'SSH-2.0-test\r' ]
}

# As serve has it: none of these is anybody's client.
tells_who_is_gone()
{
	local reset='client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, on)'
	local gone="(d['verdict'], d['service'], d['protocol'], d['gone']) == ('close', None, None, True)"

	one_client_tells 'client.shutdown(socket.SHUT_WR); assert client.recv(1) == b""' \
	    "$gone and d['at_timeout'] == {'service': None, 'target': None}" &&
	    one_client_tells "$reset; client.close()" "$gone and d['bytes'] == 0" &&
	    one_client "$reset; client.close()" &&
	    grep -qx 'now: closed, for the client is gone' "$tmp/out"
}

# Its end is final: what it sent is all there will be.
decides_at_the_end()
{
	one_client_tells 'client.sendall(b"SS"); client.shutdown(socket.SHUT_WR); assert client.recv(1) == b""' \
	    "(d['verdict'], d['service'], d['gone']) == ('close', None, False)"
}

fails_with()
{
	local status=0

	explain "${@:2}" >"$tmp/out" 2>"$tmp/err" </dev/null || status=$?
	[ "$status" -eq "$1" ] && [ -s "$tmp/err" ]
}

check "a whole banner is routed" bytes_tell 'SSH-2.0-x\r\n' \
    "(d['verdict'], d['service'], d['target']) == ('route', 'ssh', '127.0.0.1:22')"
check "a prefix waits, and at the timeout is nobody's" bytes_tell 'SS' \
    "d['verdict'] == 'wait' and d['service'] is None and d['at_timeout']['service'] is None"
check "nothing is a silent client" tells \
    "d['verdict'] == 'wait' and d['protocol'] == 'silent' and d['at_timeout'] == {'service': 'ssh', 'target': '127.0.0.1:22'}" \
    /dev/null
check "no rule is closed, by nobody" bytes_tell 'zzzz' \
    "d['verdict'] == 'close' and d['service'] is None and d['protocol'] is None"
check "a reject is closed, by its service" vector_tells cap_openssl30_nosni \
    "d['verdict'] == 'close' and d['service'] == 'no' and d['server_name'] is None"
check "a name and ALPN are told" vector_tells cap_curl7_https_h2_sni \
    "d['service'] == 'web' and d['server_name'] == 'www.example.com' and d['alpn'] == ['h2', 'http/1.1'] and d['protocol'] == 'tls'"
check "the client's address counts" bytes_tell 'GET / HTTP/1.1\r\n' \
    "d['service'] == 'lan'" --from 192.0.2.9
check "the address reached counts" bytes_tell 'zz' "d['service'] == 'admin'" \
    --local 127.0.0.1:8022
check "the reason names the key and the byte" says_why
check "the protocol is told with where it is defined" says_what
check "one byte is one byte" counts_bytes
check "what HTTP/2 in the clear asks for is told" says_what_http2_asks_for
check "one real client is waited for, and its bytes kept" keeps_bytes
check "one that leaves without a byte is gone" tells_who_is_gone
check "one that finishes is decided with what there is" decides_at_the_end
check "a file that is not there: a message, status 1" fails_with 1 "$tmp/none"
check "a wrong address: a message, status 2" fails_with 2 --from nonsense
done_testing
