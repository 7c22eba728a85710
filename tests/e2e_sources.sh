#!/usr/bin/env bash
# Who counts as one source: tests/e2e/sources.py, on a network of its own, with
# addresses that no machine has by itself.

in_namespace()
{
	if [ "$(id -u)" -eq 0 ]; then
		unshare --net "$@"
	else
		unshare --map-root-user --net "$@"
	fi
}

if [ -z "${apart-}" ] && in_namespace true 2>/dev/null; then
	export apart=yes
	in_namespace "$0" "$@"
	exit
fi

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

[ -n "${apart-}" ] || skip 'no network namespace can be made'
need ip
ip link set lo up
ip -6 addr add ::1/128 dev lo 2>/dev/null || :
for address in 2001:db8:0:1::{1,2,ffff} 2001:db8:0:1:8000::1 \
    2001:db8:0:2::1; do
	ip -6 addr add "$address/64" dev lo nodad 2>/dev/null ||
	    skip 'this kernel has no IPv6'
done
run_python sources
