/*
 * log_connection.c - a connection's line.
 */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <syslog.h>

#include "deadline.h"
#include "log.h"
#include "log_inner.h"

/* Longest value of one field, before it is escaped. */
#define VALUE_MAX 320
#define BEHIND_US 1000000 /* a process's clock, at most */

/* What the fields are taken from. */
struct subject {
	const struct scoreboard *board;
	const struct tally *tally;
	const struct connection *slot;
	struct addr client;
	bool hide_client;
	int64_t now_us;
	uint64_t suppressed;
};

/* Text in shared memory need not have an end. */
#define PUT_BOUNDED(value, array) \
	line_bytes((value), (array), strnlen((array), sizeof(array)))

static void
put_service(struct line *value, const struct subject *of)
{
	PUT_BOUNDED(value, of->tally->name);
}

static void
put_client(struct line *value, const struct subject *of)
{
	if (of->client.len > 0 && !of->hide_client)
		addr_write_host(value, &of->client);
}

static void
put_client_port(struct line *value, const struct subject *of)
{
	if (of->client.len > 0 && !of->hide_client)
		line_uint(value, addr_port(&of->client));
}

static void
put_protocol(struct line *value, const struct subject *of)
{
	PUT_BOUNDED(value, of->slot->protocol);
}

static void
put_server_name(struct line *value, const struct subject *of)
{
	const char *name = scoreboard_name(of->board, of->slot);

	line_bytes(value, name, strnlen(name, CONNECTION_NAME_MAX));
}

static void
put_alpn(struct line *value, const struct subject *of)
{
	const char *alpn = scoreboard_alpn(of->board, of->slot);

	line_bytes(value, alpn, strnlen(alpn, CONNECTION_ALPN_MAX));
}

static void
put_backend(struct line *value, const struct subject *of)
{
	scoreboard_write_backend(of->board, of->slot, value);
}

static void
put_local_port(struct line *value, const struct subject *of)
{
	if (of->slot->backend_port > 0)
		line_uint(value, of->slot->backend_port);
}

static void
put_bytes_in(struct line *value, const struct subject *of)
{
	line_uint(value, atomic_load(&of->slot->bytes_in));
}

static void
put_bytes_out(struct line *value, const struct subject *of)
{
	line_uint(value, atomic_load(&of->slot->bytes_out));
}

static void
put_wait(struct line *value, const struct subject *of)
{
	if (of->slot->wait_us >= 0)
		line_int(value, of->slot->wait_us);
}

static void
put_connect(struct line *value, const struct subject *of)
{
	if (of->slot->connect_us >= 0)
		line_int(value, of->slot->connect_us);
}

static void
put_duration(struct line *value, const struct subject *of)
{
	line_int(value, of->now_us - of->slot->start_us);
}

static void
put_error(struct line *value, const struct subject *of)
{
	if (of->slot->error > 0)
		line_text(value, strerror(of->slot->error));
}

static void
put_suppressed(struct line *value, const struct subject *of)
{
	if (of->suppressed > 0)
		line_uint(value, of->suppressed);
}

static void
put_end(struct line *value, const struct subject *of)
{
	line_text(value, end_name(of->slot->end));
}

/* In the order in which they are written; an empty value is left out. */
static const struct field {
	const char *key; /* in text */
	const char *name; /* in the journal */
	void (*put)(struct line *value, const struct subject *of);
} fields[] = {
	{ "service", "USHER_SERVICE", put_service },
	{ "client", "USHER_CLIENT", put_client },
	{ "client_port", "USHER_CLIENT_PORT", put_client_port },
	{ "protocol", "USHER_PROTOCOL", put_protocol },
	{ "server_name", "USHER_SERVER_NAME", put_server_name },
	{ "alpn", "USHER_ALPN", put_alpn },
	{ "backend", "USHER_BACKEND", put_backend },
	{ "local_port", "USHER_LOCAL_PORT", put_local_port },
	{ "bytes_in", "USHER_BYTES_IN", put_bytes_in },
	{ "bytes_out", "USHER_BYTES_OUT", put_bytes_out },
	{ "wait_usec", "USHER_WAIT_USEC", put_wait },
	{ "connect_usec", "USHER_CONNECT_USEC", put_connect },
	{ "duration_usec", "USHER_DURATION_USEC", put_duration },
	{ "error", "USHER_ERROR", put_error },
	{ "suppressed", "USHER_SUPPRESSED", put_suppressed },
	{ "end", "USHER_END", put_end },
};

static bool
is_error(unsigned end)
{
	return end == END_KILLED || end == END_REFUSED ||
	    end == END_CONNECT_TIMEOUT || end == END_LIMIT || end == END_ERROR;
}

/*
 * A period longer than any cannot be: nobody is to be silenced for good.  But
 * processes look at the clock now and then only, and some are behind.
 */
static bool
is_over(int64_t until_us, int64_t now_us)
{
	return now_us >= until_us ||
	    until_us > now_us + LOG_PERIOD_US + BEHIND_US;
}

/*
 * Whether one more error line of this service may be written now, and how
 * many were left out before it.  Counted in shared memory, for every process
 * that has something to say.
 */
static bool
may_speak(struct tally *tally, int64_t now_us, uint64_t *ret_suppressed)
{
	int64_t until_us = atomic_load(&tally->quiet_until_us);

	if (is_over(until_us, now_us) &&
	    atomic_compare_exchange_strong(
		&tally->quiet_until_us, &until_us, now_us + LOG_PERIOD_US)) {
		atomic_store(&tally->lines, 1);
		*ret_suppressed = atomic_exchange(&tally->suppressed, 0);
		return true;
	}
	if (atomic_fetch_add(&tally->lines, 1) < LOG_BURST)
		return true;
	atomic_fetch_add(&tally->suppressed, 1);
	return false;
}

bool
log_is_quiet(const struct scoreboard *board, const struct connection *slot)
{
	const struct tally *tally = scoreboard_tally(board, slot->service);

	return is_over(atomic_load(&tally->quiet_until_us), clock_us());
}

static void
write_fields(const struct subject *of, struct line *text, struct line *journal)
{
	if (journal != NULL)
		line_text(journal, "MESSAGE_ID=" LOG_CONNECTION_ID "\n");
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		char buffer[VALUE_MAX];
		struct line value = LINE(buffer);

		fields[i].put(&value, of);
		if (value.len == 0)
			continue;
		if (text->len > 0)
			line_char(text, ' ');
		line_text(text, fields[i].key);
		line_char(text, '=');
		line_value(text, value.text, value.len);
		if (journal == NULL)
			continue;
		line_text(journal, fields[i].name);
		line_char(journal, '=');
		line_escaped(journal, value.text, value.len);
		line_char(journal, '\n');
	}
}

static void
write_line(const struct subject *of, int priority)
{
	char buffer[LOG_TEXT_MAX], none[1];
	struct line text = LINE(buffer), no_fields = LINE(none);

	write_fields(of, &text, NULL);
	log_send(priority, "", text.text, &no_fields);
}

/* Apart: who has no journal need not have room for its fields. */
static __attribute__((noinline)) void
write_entry(const struct subject *of, int priority)
{
	char text_buffer[LOG_TEXT_MAX], journal_buffer[LOG_TEXT_MAX];
	struct line text = LINE(text_buffer), journal = LINE(journal_buffer);

	write_fields(of, &text, &journal);
	log_send(priority, "", text.text, &journal);
}

void
log_connection(struct scoreboard *board, const struct connection *slot,
    enum rules_log log, bool hide_client)
{
	struct tally *tally = scoreboard_tally(board, slot->service);
	bool error = is_error(slot->end);
	struct subject subject = {
		.board = board,
		.tally = tally,
		.slot = slot,
		.hide_client = hide_client,
		.now_us = clock_us(),
	};
	int priority = error ? LOG_WARNING : LOG_INFO;

	if (log == LOG_NONE || (log == LOG_ERRORS && !error))
		return;
	if (error && !may_speak(tally, subject.now_us, &subject.suppressed))
		return;
	endpoint_to(&subject.client, &slot->client);
	if (log_kind() == LOG_TO_JOURNAL)
		write_entry(&subject, priority);
	else
		write_line(&subject, priority);
}

/*
 * Marked as written after it was: somebody who is killed between the two, a
 * few instructions, has its line written twice rather than not at all.
 */
void
log_end(struct scoreboard *board, struct connection *slot, enum rules_log log,
    bool hide_client)
{
	(void)scoreboard_ended(board, slot);
	if (atomic_load(&slot->due))
		log_connection(board, slot, log, hide_client);
	atomic_store(&slot->due, 0);
	(void)scoreboard_give_back(board, slot);
}

void
log_lost(struct scoreboard *board, struct connection *slot, enum end end,
    int error, enum rules_log log, bool hide_client)
{
	if (atomic_load(&slot->state) != CONN_ENDED) {
		slot->end = (uint8_t)end;
		slot->error = (int16_t)error;
	}
	log_end(board, slot, log, hide_client);
}

void
log_violation(int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		log_event(LOG_ERR,
		    "a connection's process was stopped by "
		    "the sandbox: it made a system call it never should");
}
