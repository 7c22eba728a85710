/*
 * cage.h - what the parts of tests/cage share: acts, and trials of them.
 *
 * A trial runs one act in a process of its own, inside one of the cages.
 */
#ifndef USHER_TESTS_CAGE_H
#define USHER_TESTS_CAGE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include "sandbox.h"
#include "scoreboard.h"

/* What is open before the cage is shut. */
extern struct things {
	int relay_exe, heir_exe, other_exe, file, epoll, ends[2], stream[2];
	uint16_t allowed_port, other_port; /* a rule goes to the first only */
	struct sockaddr_un abstract_name;
	socklen_t abstract_len;
	struct scoreboard board;
	pid_t stranger;
	char *relay_argv[3], *no_environment[1];
} have;

/*
 * Return 0 or more if they were let, -1 with errno if not: cage_acts.c, and
 * those of sockets in cage_sockets.c.
 */
typedef int act(void);
act open_a_file, make_a_file, grow_a_file, exec_the_relay, exec_another_file,
    exec_by_name, fork_and_wait, end_a_child, signal_its_parent,
    signal_a_stranger, signal_itself, signal_everybody, signal_the_group,
    stop_a_child, trace, trace_somebody, read_anothers_memory,
    take_anothers_descriptor, give_orders_to_the_terminal, mount_something,
    change_the_root, remove_a_file, look_at_a_directory, map_code, map_memory,
    make_a_thread, make_a_namespace, leave_a_namespace, make_a_memfd,
    be_dumpable, change_the_owner, use_io_uring, use_bpf, lock_a_file,
    own_signals, say_something, take_a_slot, protect_memory, dump_no_core,
    dump_more_core, make_an_epoll, wait_for_events;
act connect_where_a_rule_goes, connect_elsewhere, connect_to_an_abstract_name,
    bind_to_any_port, bind_to_a_port, make_a_datagram_socket,
    make_a_netlink_socket, make_a_seqpacket_socket, make_a_local_socket,
    connect_elsewhere_by_ipv6, connect_by_sending, wait_for_many_bytes,
    filter_packets, move_bytes, take_a_client, keep_an_option, make_a_pair,
    receive_descriptors;

/* HEIR: a relay after its exec, in the cage that it was born in. */
enum cage { ACCEPTOR, BINDER, LOCAL, RELAY, HEIR, WORKER, MANY };

/* What is expected where a signal ends the process. */
#define SIGNALLED(number) (-(number))

struct trial {
	enum cage cage;
	int parts; /* that have to be in force */
	const char *name;
	act *act;
	int expected; /* 0, an errno, or SIGNALLED(...) */
};
extern const struct trial trials[];
extern const size_t trials_count;

#endif
