/*
 * unit.h - what usher.service leaves to usher, as systemd has it.
 *
 * The one idea: whoever runs "usher check" is mostly root, and usher then is
 * not.  So the rights that matter are asked of systemd, drop-ins included.
 */
#ifndef USHER_UNIT_H
#define USHER_UNIT_H

#include <stdbool.h>

struct unit {
	bool loaded; /* there is one; the rest is nothing otherwise */
	bool unprivileged; /* not root, or without a way to become root */
	bool net_raw; /* it has CAP_NET_RAW, and in the right namespace */
};

/* Asks systemctl, once; where there is none, no unit is loaded. */
const struct unit *unit_look(void);

#endif
