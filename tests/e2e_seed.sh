#!/usr/bin/env bash
# Six services on one port, each used by its own client: OpenSSH, nginx,
# Apache, Monit, OpenConnect's ocserv and Shadowsocks, from their packages.
#
# With MUX=haproxy the same checks are made of haproxy, for comparison.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=e2e/servers.sh
. "$testdir/e2e/servers.sh"
# shellcheck source=e2e/rules.sh
. "$testdir/e2e/rules.sh"
# shellcheck source=e2e/services.sh
. "$testdir/e2e/services.sh"

need_six_services
start_six_services
write_rules "$tmp/usher.conf" 'log-target = stderr' \
	"isolation = ${ISOLATION:-connection}"
if [ "${MUX-}" = haproxy ]; then
	need haproxy
	start_haproxy
else
	start_usher usher "$tmp/usher.conf"
fi
shared=$port
start_socks "$shared"

check_services "${MUX:-usher}"
done_testing
