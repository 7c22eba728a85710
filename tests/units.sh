#!/bin/sh
# The units say nothing that systemd does not understand, and leave little
# open: the limit is what "systemd-analyze security" calls 1.0.
set -eu
srcdir=${srcdir:-.} builddir=${builddir:-.}

command -v systemd-analyze >/dev/null ||
	{ echo "systemd is not installed" && exit 77; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cp "$srcdir"/systemd/*.socket "$builddir"/systemd/*.service "$dir"
# systemd wants the programs to exist.
sed -i 's|^\(Exec[A-Za-z]*\)=[^ ]*|\1=/bin/true|' "$dir"/*.service

systemd-analyze security --help | grep -q -e --offline ||
	{ echo "systemd is too old for security --offline" && exit 77; }
for unit in usher.service usher-inetd@.service; do
	systemd-analyze security --offline=yes --threshold=10 "$dir/$unit" \
		>"$dir/open" || { cat "$dir/open" && exit 1; }
	tail -n 1 "$dir/open"
done
cd "$dir"
mv usher-inetd@.service usher-inetd@test.service
SYSTEMD_UNIT_PATH=$dir: systemd-analyze verify --man=no --recursive-errors=no \
	./usher.socket ./usher.service ./usher-inetd@test.service >said 2>&1 ||
	{ cat said && exit 1; }
cat said
! grep -q "$dir" said
