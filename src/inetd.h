/*
 * inetd.h - started by a super-server, with a socket as standard input.
 */
#ifndef USHER_INETD_H
#define USHER_INETD_H

/*
 * Serves what descriptor 0 is, by the rules in file: one connection (systemd
 * Accept=yes, inetd nowait, tcpserver), or a listening socket (inetd wait),
 * and then until it has been idle for a minute or exit-idle-time.  Names in
 * the file are left to "usher dump", found beside this program.
 *
 * Returns the exit status: 0; 1 for bad rules; 2 if 0 is no such socket.
 */
int inetd_run(char *file);

#endif
