/*
 * log.c - targets of log lines.
 *
 * The journal's native protocol is a datagram of "NAME=value" lines
 * (systemd.io/JOURNAL_NATIVE_PROTOCOL).  To /dev/log goes the form of RFC 3164
 * without a time: there is no way to ask a daemon whether it takes RFC 5424,
 * every one takes this, and each puts the time of arrival, which is the same.
 * Who is told that theirs does writes the header of RFC 5424, section 6; time
 * and host are "-" there, which 6.2.3 and 6.2.4 allow, for the same reason.
 *
 * The sockets are connected, so they work after chroot() and without looking
 * up a path each time.  When the reader was restarted under a new socket, one
 * more try goes to the name.
 */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "deadline.h"
#include "fd.h"
#include "handover.h"
#include "log_inner.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define SYSLOG_SOCKET "/dev/log"
#define PARTS_MAX 6

static const char *program_name; /* NULL: LOG_IDENTIFIER */
static enum log_kind target_kind = LOG_TO_STDERR;
static bool stderr_is_patient; /* a file: writing to it does not wait */
static int patience_ms; /* for a reader that is behind */

static bool
is_stderr(void)
{
	return target_kind == LOG_TO_STDERR ||
	    target_kind == LOG_TO_STDERR_MARKED;
}

/* What one line is put together from, for one system call. */
struct parts {
	struct iovec vec[PARTS_MAX];
	uint8_t n; /* fits what either libc makes of msg_iovlen */
};

static void
add_bytes(struct parts *parts, const char *bytes, size_t n)
{
	parts->vec[parts->n].iov_base = (void *)(uintptr_t)bytes;
	parts->vec[parts->n++].iov_len = n;
}

static void
add(struct parts *parts, const char *text)
{
	add_bytes(parts, text, strlen(text));
}

static struct sockaddr_un
socket_name(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };

	memcpy(name.sun_path, path, strlen(path));
	return name;
}

/* Whether a reader that is behind has made room before until. */
static bool
await_room(struct deadline until)
{
	struct pollfd room = { .fd = LOG_FD, .events = POLLOUT };
	int ms = deadline_left(until, clock_us()), n;

	if (ms <= 0)
		return false;
	n = poll(&room, 1, ms);
	clock_waited();
	return n == 1;
}

/* One try, or as many as patience_ms has room for.  0 or -errno. */
static int
try_to_send(const struct msghdr *message)
{
	const int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
	struct deadline until;

	if (sendmsg(LOG_FD, message, flags) >= 0)
		return 0;
	if (errno != EAGAIN || patience_ms == 0)
		return -errno;
	/* Others wait for the same room: it may be gone again. */
	until = deadline_after(clock_us(), patience_ms);
	while (await_room(until))
		if (sendmsg(LOG_FD, message, flags) >= 0)
			return 0;
		else if (errno != EAGAIN)
			return -errno;
	return -EAGAIN;
}

static void
send_parts(struct parts *parts, const char *path)
{
	struct sockaddr_un name;
	struct msghdr message = {
		.msg_iov = parts->vec,
		.msg_iovlen = parts->n,
	};
	int r = try_to_send(&message);

	if (r != -ECONNREFUSED && r != -ENOTCONN && r != -ECONNRESET)
		return;
	name = socket_name(path);
	message.msg_name = &name;
	message.msg_namelen = sizeof(name);
	(void)sendmsg(LOG_FD, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* A pipe that nobody empties must not stop us: then the line is lost. */
static void
write_parts(struct parts *parts)
{
	struct pollfd ready = { .fd = STDERR_FILENO, .events = POLLOUT };

	if (!stderr_is_patient &&
	    (poll(&ready, 1, 0) != 1 || !(ready.revents & POLLOUT)))
		return;
	if (writev(STDERR_FILENO, parts->vec, parts->n) < 0)
		return;
}

static void
write_journal_head(struct line *head, int priority)
{
	line_text(head,
	    "SYSLOG_IDENTIFIER=" LOG_IDENTIFIER
	    "\nSYSLOG_FACILITY=3\nPRIORITY=");
	line_int(head, priority);
	line_text(head, "\nMESSAGE=");
}

static void
write_old_head(struct line *head, int priority)
{
	line_char(head, '<');
	line_int(head, LOG_DAEMON | priority);
	line_text(head, ">" LOG_IDENTIFIER "[");
	line_int(head, getpid());
	line_text(head, "]: ");
}

/* RFC 5424, section 6: time and host are left out, and structured data. */
static void
write_new_head(struct line *head, int priority, const char *msgid)
{
	line_char(head, '<');
	line_int(head, LOG_DAEMON | priority);
	line_text(head, ">1 - - " LOG_IDENTIFIER " ");
	line_int(head, getpid());
	line_char(head, ' ');
	line_text(head, msgid);
	line_text(head, " - ");
}

void
log_send(int priority, const char *prefix, const char *text,
    const struct line *fields)
{
	struct parts parts = { .n = 0 };
	char buffer[80];
	struct line head = LINE(buffer);

	if (target_kind == LOG_TO_JOURNAL) {
		write_journal_head(&head, priority);
	} else if (target_kind == LOG_TO_SYSLOG) {
		write_old_head(&head, priority);
	} else if (target_kind == LOG_TO_RFC5424) {
		write_new_head(
		    &head, priority, fields != NULL ? "connection" : "-");
	} else if (target_kind == LOG_TO_STDERR_MARKED) {
		line_char(&head, '<');
		line_int(&head, priority);
		line_char(&head, '>');
	}
	add_bytes(&parts, head.text, head.len);
	if (is_stderr())
		add(&parts, prefix);
	add_bytes(&parts, text, strcspn(text, "\n"));
	if (target_kind == LOG_TO_JOURNAL || is_stderr())
		add(&parts, "\n");
	if (target_kind == LOG_TO_JOURNAL && fields != NULL)
		add_bytes(&parts, fields->text, fields->len);
	if (is_stderr())
		write_parts(&parts);
	else
		send_parts(&parts,
		    target_kind == LOG_TO_JOURNAL ? JOURNAL_SOCKET :
						    SYSLOG_SOCKET);
}

void
log_event(int priority, const char *text)
{
	char buffer[64];
	struct line prefix = LINE(buffer);

	line_text(
	    &prefix, program_name != NULL ? program_name : LOG_IDENTIFIER);
	line_text(&prefix, ": ");
	log_send(priority, prefix.text, text, NULL);
}

void
log_errno(int priority, const char *text, int error)
{
	char buffer[LOG_TEXT_MAX];
	struct line line = LINE(buffer);

	line_text(&line, text);
	line_text(&line, ": ");
	line_text(&line, strerror(error));
	log_event(priority, line.text);
}

/* Reads "DEVICE:INODE" of JOURNAL_STREAM. */
static bool
stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char text[48];
	struct line line = LINE(text);
	struct stat st;

	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return false;
	line_uint(&line, st.st_dev);
	line_char(&line, ':');
	line_uint(&line, st.st_ino);
	return strcmp(stream, line.text) == 0;
}

/* Whether it is a file, or /dev/null. */
static bool
is_patient(void)
{
	struct stat st, null;

	if (fstat(STDERR_FILENO, &st) < 0)
		return false;
	return S_ISREG(st.st_mode) ||
	    (S_ISCHR(st.st_mode) && stat("/dev/null", &null) == 0 &&
		st.st_rdev == null.st_rdev);
}

static enum rules_log_target
choose(void)
{
	/* Others than systemd wait for a READY=1, and have no journal. */
	if (stderr_is_journal() ||
	    (getenv("NOTIFY_SOCKET") && access(JOURNAL_SOCKET, F_OK) == 0))
		return TARGET_JOURNAL;
	return isatty(STDERR_FILENO) ? TARGET_STDERR : TARGET_SYSLOG;
}

/* Puts a socket that is connected to path at LOG_FD.  0 or -errno. */
static int
connect_to(const char *path)
{
	struct sockaddr_un name = socket_name(path);
	FD_AUTO int reader = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (reader < 0)
		return -errno;
	if (connect(reader, (struct sockaddr *)&name, sizeof(name)) < 0)
		return -errno;
	if (reader == LOG_FD)
		return fd_take(&reader) < 0 ? -EBADF : 0;
	return dup3(reader, LOG_FD, O_CLOEXEC) < 0 ? -errno : 0;
}

/* By target; NULL for the two that need none. */
static const struct {
	const char *path, *excuse;
	enum log_kind kind;
} readers[] = {
	[TARGET_JOURNAL] = { JOURNAL_SOCKET,
	    "logging here, not to " JOURNAL_SOCKET, LOG_TO_JOURNAL },
	[TARGET_SYSLOG] = { SYSLOG_SOCKET,
	    "logging here, not to " SYSLOG_SOCKET, LOG_TO_SYSLOG },
	[TARGET_RFC5424] = { SYSLOG_SOCKET,
	    "logging here, not to " SYSLOG_SOCKET, LOG_TO_RFC5424 },
	[TARGET_STDERR] = { NULL, NULL, LOG_TO_STDERR },
};

void
log_open(const char *program, enum rules_log_target target)
{
	int r;

	program_name = program;
	stderr_is_patient = is_patient();
	target_kind =
	    stderr_is_journal() ? LOG_TO_STDERR_MARKED : LOG_TO_STDERR;
	if (target == TARGET_AUTO)
		target = choose();
	if (readers[target].path == NULL)
		return;
	r = connect_to(readers[target].path);
	if (r < 0)
		log_errno(LOG_WARNING, readers[target].excuse, -r);
	else
		target_kind = readers[target].kind;
}

void
log_be_patient(int ms)
{
	patience_ms = ms;
}

void
log_adopt(const char *program, enum log_kind kind)
{
	program_name = program;
	target_kind = kind;
}

enum log_kind
log_kind(void)
{
	return target_kind;
}
