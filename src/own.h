/*
 * own.h - whether an address is this machine's.
 */
#ifndef USHER_OWN_H
#define USHER_OWN_H

#include <stdbool.h>

#include "addr.h"

/*
 * Asks the kernel, which lets a socket have only such an address; its port is
 * not looked at.  False for other kinds of addresses, and where it cannot be
 * known.
 */
bool own_address(const struct addr *addr);

/* The same of an address without a port, as text. */
bool own_address_text(const char *text);

#endif
