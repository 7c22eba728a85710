#!/usr/bin/env bash
# An administrator's day on a machine whose first process is systemd: the units
# as "make install" puts them, in tests/container.  tests/e2e/units.py,
# tests/e2e/restarts.py, tests/e2e/passing.py.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need flock make python3 setpriv ssh ssh-keygen sshd systemctl tar unshare
need_built "$usher" "$usherd" "$relay" "$build/contrib/pass/usher-receive"

program=$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "$build/systemd/usher.service")
case $program in
/home/* | /root/* | /run/* | /tmp/* | /var/tmp/*)
	skip "configured for ${program%/*}, which units cannot see"
	;;
esac

# One after the other: both modes are tried at the same time.
env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL flock "$build" \
    make -C "$build" -s install DESTDIR="$tmp/tree" >"$tmp/install.log" 2>&1 ||
    fail 'make install fails'
units=$(find "$tmp/tree" -name usher.service)
case ${units#"$tmp/tree"} in
'') skip 'configured without units' ;;
/lib/* | /usr/lib/* | /usr/local/lib/*) ;;
*) # distcheck has a place of its own, where systemd does not look
	mkdir -p "$tmp/tree/usr/local/lib/systemd"
	mv "${units%/*}" "$tmp/tree/usr/local/lib/systemd/system"
	;;
esac
mkdir "$tmp/contrib"
cp "$testdir"/../contrib/systemd/*.* "$testdir"/../contrib/pass/*.{socket,service} \
    "$build/contrib/pass/usher-receive" \
    "$testdir"/../contrib/transparent/usher.service.d/*.conf "$build"/contrib/systemd/*.service \
    "$tmp/contrib"

for part in ${PARTS:-units restarts passing}; do
	"$testdir/container" -p "$tmp/tree" -b "$testdir" -b "$tmp/contrib" \
	    env -u RUNTIME_DIRECTORY PYTHONDONTWRITEBYTECODE=1 \
	    tmp=/root/usher-tests usher="$program" usherd="${program}d" \
	    python3 "/mnt/${testdir##*/}/e2e/$part.py" "$@"
done
