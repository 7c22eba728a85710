/*
 * status_table.c - the status for people.
 *
 * Cells are written twice: once to learn how wide the columns are, once to
 * be seen.
 */
#include <string.h>

#include "status.h"

#define COLUMNS_MAX 8
#define CELL_MAX 300

struct column {
	const char *title;
	bool number; /* to the right */
	size_t width;
	void (*put)(struct line *cell, const struct status *status, size_t row);
};

static const struct connection *
connection(const struct status *status, size_t row)
{
	return status->connections[row];
}

static const struct tally *
tally(const struct status *status, size_t row)
{
	return row < status->rows ? &status->board->services[row] :
				    &status->board->head->unserved;
}

static void
put_text(struct line *cell, const char *text)
{
	if (text[0] == '\0')
		line_char(cell, '-');
	line_escaped(cell, text, strlen(text));
}

static void
put_seconds(struct line *cell, int64_t us)
{
	line_int(cell, us > 0 ? us / 1000000 : 0);
	line_char(cell, 's');
}

static void
put_pid(struct line *cell, const struct status *status, size_t row)
{
	line_int(cell, scoreboard_owner(connection(status, row)));
}

static void
put_age(struct line *cell, const struct status *status, size_t row)
{
	put_seconds(cell, status->now_us - connection(status, row)->start_us);
}

static void
put_idle(struct line *cell, const struct status *status, size_t row)
{
	put_seconds(cell,
	    status->now_us - atomic_load(&connection(status, row)->active_us));
}

static void
put_service(struct line *cell, const struct status *status, size_t row)
{
	uint16_t service = connection(status, row)->service;

	put_text(cell, scoreboard_tally(status->board, service)->name);
}

static void
put_client(struct line *cell, const struct status *status, size_t row)
{
	struct addr client;

	endpoint_to(&client, &connection(status, row)->client);
	if (client.len == 0)
		line_char(cell, '-');
	else
		addr_write(cell, &client);
}

static void
put_backend(struct line *cell, const struct status *status, size_t row)
{
	char buffer[ADDR_TEXT_MAX];
	struct line backend = LINE(buffer);

	scoreboard_write_backend(
	    status->board, connection(status, row), &backend);
	put_text(cell, backend.text);
}

static void
put_in(struct line *cell, const struct status *status, size_t row)
{
	line_uint(cell, atomic_load(&connection(status, row)->bytes_in));
}

static void
put_out(struct line *cell, const struct status *status, size_t row)
{
	line_uint(cell, atomic_load(&connection(status, row)->bytes_out));
}

static void
put_name(struct line *cell, const struct status *status, size_t row)
{
	put_text(cell, tally(status, row)->name);
}

static void
put_now(struct line *cell, const struct status *status, size_t row)
{
	line_uint(cell, status->sums[row].connections);
}

static void
put_total(struct line *cell, const struct status *status, size_t row)
{
	line_uint(cell, status->sums[row].total);
}

static void
put_sum_in(struct line *cell, const struct status *status, size_t row)
{
	line_uint(cell, status->sums[row].bytes_in);
}

static void
put_sum_out(struct line *cell, const struct status *status, size_t row)
{
	line_uint(cell, status->sums[row].bytes_out);
}

/* "idle 3, refused 1": ends that have happened. */
static void
put_ends(struct line *cell, const struct status *status, size_t row)
{
	for (unsigned end = END_NONE + 1; end < END_COUNT; end++) {
		uint64_t n = atomic_load(&tally(status, row)->ends[end]);

		if (n == 0)
			continue;
		if (cell->len > 0)
			line_text(cell, ", ");
		line_text(cell, end_name(end));
		line_char(cell, ' ');
		line_uint(cell, n);
	}
	if (cell->len == 0)
		line_char(cell, '-');
}

static struct column connection_columns[] = {
	{ "PID", true, 0, put_pid },
	{ "AGE", true, 0, put_age },
	{ "SERVICE", false, 0, put_service },
	{ "CLIENT", false, 0, put_client },
	{ "BACKEND", false, 0, put_backend },
	{ "IN", true, 0, put_in },
	{ "OUT", true, 0, put_out },
	{ "IDLE", true, 0, put_idle },
};

static struct column service_columns[] = {
	{ "SERVICE", false, 0, put_name },
	{ "NOW", true, 0, put_now },
	{ "TOTAL", true, 0, put_total },
	{ "IN", true, 0, put_sum_in },
	{ "OUT", true, 0, put_sum_out },
	{ "ENDS", false, 0, put_ends },
};

static void
show(FILE *out, const struct column *column, const char *text, bool last)
{
	int width = (int)column->width;

	if (column->number)
		fprintf(out, "%*s", width, text);
	else if (last)
		fputs(text, out);
	else
		fprintf(out, "%-*s", width, text);
	fputs(last ? "\n" : "  ", out);
}

static void
write_table(FILE *out, const struct status *status, struct column *columns,
    size_t n, size_t rows)
{
	char buffer[CELL_MAX];

	for (size_t i = 0; i < n; i++) {
		columns[i].width = strlen(columns[i].title);
		for (size_t row = 0; row < rows; row++) {
			struct line cell = LINE(buffer);

			columns[i].put(&cell, status, row);
			if (cell.len > columns[i].width)
				columns[i].width = cell.len;
		}
	}
	for (size_t i = 0; i < n; i++)
		show(out, &columns[i], columns[i].title, i + 1 == n);
	for (size_t row = 0; row < rows; row++)
		for (size_t i = 0; i < n; i++) {
			struct line cell = LINE(buffer);

			columns[i].put(&cell, status, row);
			show(out, &columns[i], cell.text, i + 1 == n);
		}
}

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

void
status_write_table(FILE *out, const struct status *status)
{
	write_table(out, status, connection_columns, COUNT(connection_columns),
	    status->n);
	fputc('\n', out);
	write_table(out, status, service_columns, COUNT(service_columns),
	    status->rows + 1);
}
