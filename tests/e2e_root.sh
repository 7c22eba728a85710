#!/usr/bin/env bash
# Started as root, without systemd: tests/e2e/root.py, on a network of its own,
# where port 443 is free, and with a /run and a /dev of its own.

if [ -z "${apart-}" ] && [ "$(id -u)" -eq 0 ] &&
    unshare --net --mount true 2>/dev/null; then
	export apart=yes
	exec unshare --net --mount --propagation private "$0" "$@"
fi

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

[ -n "${apart-}" ] || skip 'not root, or no namespaces'
need ip
ip link set lo up
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/dev
for name in null zero random urandom; do
	: >"/run/dev/$name"
	mount --bind "/dev/$name" "/run/dev/$name"
done
mount --rbind /run/dev /dev
run_python root
