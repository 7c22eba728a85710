#include "report.h"

#include "line.h"
#include "notify.h"

static void
write_number(struct line *text, uint64_t n, const char *thing)
{
	line_uint(text, n);
	line_char(text, ' ');
	line_text(text, thing);
	if (n != 1)
		line_char(text, 's');
}

static void
write_status(const struct generation *g, struct line *text)
{
	const struct scoreboard_head *head = g->board->head;

	line_text(text, "STATUS=");
	write_number(text, g->rules->n_services, "service");
	line_text(text, ", ");
	write_number(text, atomic_load(&head->connections), "connection");
	line_text(text, ", ");
	line_uint(text, atomic_load(&head->pending));
	line_text(text, " undecided");
}

void
report_counts(struct report *report, const struct generation *g)
{
	uint32_t n = atomic_load(&g->board->head->connections);
	char buffer[128];
	struct line text = LINE(buffer);

	if (n == report->said && n == 0)
		return;
	report->said = n;
	write_status(g, &text);
	notify_send(buffer);
}

void
report_ready(struct report *report, const struct generation *g)
{
	char buffer[128];
	struct line text = LINE(buffer);

	line_text(&text, "READY=1\n");
	write_status(g, &text);
	notify_send(buffer);
	report->said = atomic_load(&g->board->head->connections);
}
