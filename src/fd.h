/*
 * fd.h - descriptors that know their owner.
 *
 * FD_AUTO at a declaration closes the descriptor when the scope is left;
 * fd_take() hands it on.  Every descriptor is CLOEXEC from birth.
 */
#ifndef USHER_FD_H
#define USHER_FD_H

#include <stddef.h>
#include <sys/types.h>

#define FD_AUTO __attribute__((cleanup(fd_close_auto)))

/* Closes *fd if it is not negative; errno is kept.  For FD_AUTO only. */
void fd_close_auto(int *fd);

/*
 * The same for a descriptor from somebody who is not trusted: no linger time
 * that was set on it can hold up whoever closes it.
 */
void fd_close_at_once(int *fd);

/* Returns *fd and puts -1 in its place: the caller owns it now. */
int fd_take(int *fd);

/*
 * Opens /dev/null on whichever of descriptors 0, 1 and 2 are closed, so that
 * no socket ever lands there; they are not CLOEXEC.  Returns 0 or -errno.
 */
int fd_sanitise_standard(void);

/*
 * Closes every descriptor from first on.  Returns 0 or -errno.
 */
int fd_close_from(int first);

/* Closes those from first to last, both included.  Returns 0 or -errno. */
int fd_close_range(int first, int last);

/* Sets or clears FD_CLOEXEC and O_NONBLOCK.  Return 0 or -errno. */
int fd_set_cloexec(int fd, int on);
int fd_set_nonblock(int fd, int on);

/*
 * Whether TCP's urgent bytes stay where they are in the stream (RFC 6093), or
 * are out of it, where only MSG_OOB finds them.  0 or -errno.
 */
int fd_set_urgent_inline(int socket, int on);

/*
 * Has a socket of TCP send what is written at once, also while something is
 * on its way (TCP_NODELAY).  0 or -errno.
 */
int fd_set_undelayed(int socket);

/*
 * Sends bytes with one descriptor, or receives them, over a unix socket with
 * one message; fd_send_now says -EAGAIN rather than wait until there is room.
 * fd_send takes fd -1 for none and leaves it open in the
 * sender.  fd_receive puts the received descriptor, CLOEXEC and the caller's
 * from then on, or -1 into *ret_fd unless it fails; surplus ones are closed.
 * Both return the number of payload bytes or -errno, never -EINTR; fd_receive
 * returns 0 at the end of the stream.
 */
ssize_t fd_send(int via, const void *bytes, size_t n, int fd);
ssize_t fd_send_now(int via, const void *bytes, size_t n, int fd);
ssize_t fd_receive(int via, void *bytes, size_t n, int *ret_fd);

#endif
