/*
 * status_json.c - the status for programs (RFC 8259).
 */
#include "status.h"

/*
 * Names and paths need not be UTF-8, and JSON must be: bytes beyond ASCII
 * are shown as the code points of the same number.
 */
static void
write_string(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		unsigned byte = (unsigned char)*text;

		if (byte < ' ' || byte > '~')
			fprintf(out, "\\u%04x", byte);
		else if (byte == '"' || byte == '\\')
			fprintf(out, "\\%c", (char)byte);
		else
			fputc((char)byte, out);
	}
	fputc('"', out);
}

static void
write_text(FILE *out, const char *key, const char *text)
{
	fprintf(out, ",\"%s\":", key);
	if (text[0])
		write_string(out, text);
	else
		fputs("null", out);
}

static void
write_seconds(FILE *out, const char *key, int64_t us)
{
	if (us < 0)
		us = 0;
	fprintf(out, ",\"%s\":%lld.%06lld", key, (long long)(us / 1000000),
	    (long long)(us % 1000000));
}

static void
write_number(FILE *out, const char *key, uint64_t number)
{
	fprintf(out, ",\"%s\":%llu", key, (unsigned long long)number);
}

static void
write_connection(
    FILE *out, const struct status *status, const struct connection *slot)
{
	const struct tally *tally =
	    scoreboard_tally(status->board, slot->service);
	char client_text[ADDR_TEXT_MAX], backend_text[ADDR_TEXT_MAX];
	struct line host = LINE(client_text), backend = LINE(backend_text);
	struct addr client;

	endpoint_to(&client, &slot->client);
	if (client.len > 0)
		addr_write_host(&host, &client);
	scoreboard_write_backend(status->board, slot, &backend);
	fprintf(out, "{\"pid\":%d", (int)scoreboard_owner(slot));
	write_seconds(out, "age", status->now_us - slot->start_us);
	write_text(out, "service", tally->name);
	write_text(out, "client", host.text);
	write_number(out, "client_port", slot->client.port);
	write_text(out, "backend", backend.text);
	write_number(out, "bytes_in", atomic_load(&slot->bytes_in));
	write_number(out, "bytes_out", atomic_load(&slot->bytes_out));
	write_seconds(
	    out, "idle", status->now_us - atomic_load(&slot->active_us));
	fputc('}', out);
}

static void
write_service(
    FILE *out, const struct tally *tally, const struct status_sum *sum)
{
	write_string(out, tally->name);
	fprintf(out, ":{\"connections\":%u", (unsigned)sum->connections);
	write_number(out, "total", sum->total);
	write_number(out, "bytes_in", sum->bytes_in);
	write_number(out, "bytes_out", sum->bytes_out);
	fputs(",\"ends\":{", out);
	for (unsigned end = END_NONE + 1; end < END_COUNT; end++)
		fprintf(out, "%s\"%s\":%llu", end == END_NONE + 1 ? "" : ",",
		    end_name(end),
		    (unsigned long long)atomic_load(&tally->ends[end]));
	fputs("}}", out);
}

void
status_write_json(FILE *out, const struct status *status)
{
	fputs("{\"connections\":[", out);
	for (size_t i = 0; i < status->n; i++) {
		if (i > 0)
			fputc(',', out);
		write_connection(out, status, status->connections[i]);
	}
	fputs("],\"services\":{", out);
	for (uint32_t i = 0; i < status->rows; i++) {
		if (i > 0)
			fputc(',', out);
		write_service(
		    out, &status->board->services[i], &status->sums[i]);
	}
	fputs("}}\n", out);
}
