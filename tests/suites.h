/*
 * suites.h - every suite of unit tests, one row each: SUITE(addr) stands for
 * Suite *addr_suite(void) in tests/test_addr.c.
 */
SUITE(addr)
SUITE(arena)
SUITE(deadline)
SUITE(duration)
SUITE(fd)
SUITE(handover)
SUITE(hpack)
SUITE(http)
SUITE(http2)
SUITE(line)
SUITE(log)
SUITE(notify)
SUITE(protocols)
SUITE(relay)
SUITE(scoreboard)
SUITE(status)
SUITE(suggest)
SUITE(tls)
