#include "complaints.h"

#include <string.h>
#include <syslog.h>

#include "deadline.h"
#include "line.h"
#include "log.h"

/* That of this cause, or the one that was said longest ago. */
static struct complaint *
find(struct complaints *complaints, const char *what, int error)
{
	struct complaint *oldest = &complaints->list[0];

	for (struct complaint *c = complaints->list;
	     c < complaints->list + COMPLAINTS_MAX; c++) {
		if (c->what == what && c->error == error)
			return c;
		if (oldest->what != NULL &&
		    (c->what == NULL || c->said_us < oldest->said_us))
			oldest = c;
	}
	return oldest;
}

static void
say(const struct complaint *c)
{
	char buffer[256];
	struct line text = LINE(buffer);

	line_text(&text, c->what);
	line_text(&text, ": ");
	line_text(&text, strerror(c->error));
	if (c->left_out > 0) {
		line_text(&text, ", ");
		line_uint(&text, c->left_out);
		line_text(&text, " times more since the last such line");
	}
	log_event(LOG_ERR, text.text);
}

void
complaints_say(struct complaints *complaints, const char *what, int error)
{
	struct complaint *c = find(complaints, what, error);
	int64_t now_us = clock_us();
	bool known = c->what == what && c->error == error;

	if (known && now_us - c->said_us < COMPLAINTS_EVERY_US) {
		c->left_out++;
		return;
	}
	/* It makes room, and what it has counted must not be lost. */
	if (!known && c->what != NULL && c->left_out > 0)
		say(c);
	if (!known)
		*c = (struct complaint){ .what = what, .error = error };
	c->said_us = now_us;
	say(c);
	c->left_out = 0;
}
