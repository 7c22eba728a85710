#!/usr/bin/env bash
# Programs that usher hands connections to are not restricted: sudo works in
# an ssh session by exec and by pass, for a user of the test's own; and who,
# with what, a program is run as.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=e2e/servers.sh
. "$testdir/e2e/servers.sh"
# shellcheck source=e2e/services.sh
. "$testdir/e2e/services.sh"

# The user and the sudoers are seen in a mount namespace that ends with the
# test; the system's own files are not touched.
[ -n "${USHER_OF_ITS_OWN-}" ] || {
	status=0
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	need unshare sudo setpriv sshd ssh ssh-keygen setsid
	unshare --mount --propagation private true 2>"$tmp/unshare" ||
	    skip "namespaces cannot be made: $(cat "$tmp/unshare")"
	USHER_OF_ITS_OWN=yes unshare --mount --propagation private "$0" ||
	    status=$?
	exit "$status"
}
need_built "$build/contrib/pass/usher-receive"

# replace FILE MODE: by standard input.
replace()
{
	local new=$tmp/${1##*/}

	cat >"$new"
	chmod "$2" "$new"
	mount --bind "$new" "$1" || fail "cannot put something over $1"
}

{ cat /etc/passwd && echo 'walter:x:64123:64123::/:/bin/sh'; } |
    replace /etc/passwd 644
{ cat /etc/group && echo 'walter:x:64123:'; } | replace /etc/group 644
{ cat /etc/shadow && echo 'walter:*:1::::::'; } | replace /etc/shadow 640
echo 'walter ALL=(ALL) NOPASSWD: ALL' | replace /etc/sudoers 440

# as_walter ADDRESS PORT COMMAND...: in a session of walter's from ADDRESS.
as_walter()
{
	local from=$1 to=$2

	shift 2
	run_ssh_from "$from" "$to" -l walter "$@"
}

# limits: what a program has from whoever started it, one line.
# shellcheck disable=SC2016 # for the shell of the session
limits='printf "%s %s %s" "$(umask)" "$(ulimit -c)" "$(ulimit -n)"'

start_sshd
start receiver "$build/contrib/pass/usher-receive" --listen \
    "$tmp/receive.sock" "$(command -v sshd)" -i -e -f "$tmp/sshd_config"
wait_for 10 test -S "$tmp/receive.sock"
chmod 666 "$tmp/receive.sock"
cat >"$tmp/who" <<-END
	#!/bin/sh
	read -r line
	echo "\$(id -u):\$(id -g):\$(id -G)"
	$limits
	echo
END
chmod 755 "$tmp/who"
write_rules()
{
	cat <<-END
		log-target = stderr
		isolation = ${ISOLATION:-connection}
		user = root
		[walter]
		payload = "walter"
		exec = $tmp/who
		user = walter
		[root]
		payload = "root"
		exec = $tmp/who
		[nobody]
		payload = "gone"
		exec = $tmp/is-not-there
		[passed]
		protocol = ssh
		from = 127.0.0.7
		pass = unix:$tmp/receive.sock
		[openssh]
		protocol = ssh silent
		exec = $(command -v sshd) -i -e -f $tmp/sshd_config
	END
}
write_rules >"$tmp/usher.conf"
start_usher usher "$tmp/usher.conf"
shared=$port

check "exec: sudo works in the session" says 'uid=0(root)' \
    as_walter 127.0.0.6 "$shared" sudo -n id
check "exec: the server logs the client's true address" wait_for 10 \
    logged usher 'Accepted publickey for walter from 127\.0\.0\.6 port [0-9]+'
check "exec: the program's end is the connection's, in the log" wait_for 10 \
    logged usher 'service=openssh client=127\.0\.0\.6 .*backend=.*sshd .*end=backend-closed'
check "pass: sudo works in the session" says 'uid=0(root)' \
    as_walter 127.0.0.7 "$shared" sudo -n id
check "pass: the server logs the client's true address" wait_for 10 \
    logged receiver 'Accepted publickey for walter from 127\.0\.0\.7 port [0-9]+'
check "exec: a megabyte each way" bulk_through_ssh

said_by_check()
{
	"$usher" check -c "$tmp/usher.conf" 2>&1
}

# ask WORD: what the program says to it.
ask()
{
	local line

	exec 3<>"/dev/tcp/$host/$shared" && echo "$1" >&3
	while read -r -t 10 line <&3; do
		echo "$line"
	done
	exec 3<&- 3>&-
}

ours=$(sh -c "$limits")
check "exec: umask and limits are those that usher was started with" \
    says "$ours" ask root
check "exec: without user it is whoever usher is" says '0:0:0' ask root
check "exec: the user is a number in the rules that usherd gets" says \
    'user = 64123:64123' "$usher" dump -c "$tmp/usher.conf"
check "exec: with user it is that user, with its group alone" \
    says '64123:64123:64123' ask walter
check "exec: a program that is not there: closed" test -z "$(ask gone)"
check "... and the log says why" wait_for 10 logged usher \
    "nobody: cannot run $tmp/is-not-there: No such file"
check "... and the connection has its line" wait_for 10 \
    logged usher 'service=nobody .*error="No such file or directory" end=error'
check "... and usher check warns of it" says \
    "warning: \"$tmp/is-not-there\" is not there" \
    said_by_check
end_group "$started"

# What the unit does to exec, seen: this is why usher check points to pass.
start unfree setpriv --no-new-privs \
    env RUNTIME_DIRECTORY="$tmp/run" "$usher" serve --listen "$host:0" \
    -c "$tmp/usher.conf"
wait_for 10 logged unfree "listening on $host:[0-9]+" ||
    fail "usher serve does not say that it listens"
shared=$(sed -n "s/.*listening on $host:\([0-9]*\).*/\1/p" "$tmp/unfree.log")
sudo_is_refused()
{
	! as_walter 127.0.0.6 "$shared" sudo -n id >"$tmp/refused" 2>&1 &&
	    grep -q 'no new privileges' "$tmp/refused"
}
check "under no-new-privs sudo is refused by exec" sudo_is_refused
check "... and works by pass all the same" says 'uid=0(root)' \
    as_walter 127.0.0.7 "$shared" sudo -n id

mkdir "$tmp/bin"
cat >"$tmp/bin/systemctl" <<-END
	#!/bin/sh
	printf '%s\n' LoadState=loaded DynamicUser=yes NoNewPrivileges=yes
END
chmod 755 "$tmp/bin/systemctl"
PATH=$tmp/bin:$PATH
check "usher check says so of the unit, and points to pass" says \
    'reached by "pass", see contrib/pass' said_by_check
done_testing
