/*
 * notify.h - tells systemd how things are: the sd_notify protocol.
 *
 * The one idea: it is one datagram of "NAME=value" lines to a unix socket
 * named in the environment.  sd_notify(3) defines the names.  Nothing here
 * blocks or fails a caller.
 */
#ifndef USHER_NOTIFY_H
#define USHER_NOTIFY_H

#include <stdbool.h>

/*
 * Remembers where NOTIFY_SOCKET points.  Call it once, before anything that
 * changes the environment or the root directory.  Returns whether anybody
 * wants to hear and can be reached.
 */
bool notify_open(void);

/*
 * Sends lines such as "READY=1\nSTATUS=2 connections".  Does nothing if
 * nobody wants to hear; a message that cannot be sent at once is lost.
 */
void notify_send(const char *lines);

/* Forgets it all: for a process that does not speak for the service. */
void notify_close(void);

/* "RELOADING=1" with the time that has to go with it. */
void notify_reloading(void);

#endif
