/*
 * status_prometheus.c - the status for a textfile collector
 * (prometheus.io, "Exposition formats", text-based format 0.0.4).
 */
#include "status.h"

/* One metric with a value for each service. */
struct metric {
	const char *name, *type, *help;
	uint64_t (*value)(const struct status_sum *sum);
};

static uint64_t
connections(const struct status_sum *sum)
{
	return sum->connections;
}

static uint64_t
total(const struct status_sum *sum)
{
	return sum->total;
}

static uint64_t
bytes_in(const struct status_sum *sum)
{
	return sum->bytes_in;
}

static uint64_t
bytes_out(const struct status_sum *sum)
{
	return sum->bytes_out;
}

static const struct metric metrics[] = {
	{ "usher_connections", "gauge", "Connections now.", connections },
	{ "usher_connections_total", "counter",
	    "Connections given to the service.", total },
	{ "usher_bytes_in_total", "counter", "Bytes from clients.", bytes_in },
	{ "usher_bytes_out_total", "counter", "Bytes to clients.", bytes_out },
};

static void
write_head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/*
 * Label values are UTF-8 with three characters escaped; what is not printable
 * ASCII gets an escape that survives, so that nothing invalid is written.
 */
static void
write_label(FILE *out, const char *name, const char *value)
{
	fprintf(out, "%s=\"", name);
	for (; *value; value++) {
		unsigned byte = (unsigned char)*value;

		if (byte < ' ' || byte > '~')
			fprintf(out, "\\\\x%02x", byte);
		else if (byte == '"' || byte == '\\')
			fprintf(out, "\\%c", (char)byte);
		else
			fputc((char)byte, out);
	}
	fputc('"', out);
}

static const char *
name_of(const struct status *status, uint32_t row)
{
	/* An empty label is the same as none: connections without a service. */
	return row < status->rows ? status->board->services[row].name : "";
}

static void
write_metric(
    FILE *out, const struct status *status, const struct metric *metric)
{
	write_head(out, metric->name, metric->type, metric->help);
	for (uint32_t row = 0; row <= status->rows; row++) {
		fprintf(out, "%s{", metric->name);
		write_label(out, "service", name_of(status, row));
		fprintf(out, "} %llu\n",
		    (unsigned long long)metric->value(&status->sums[row]));
	}
}

static void
write_ends(FILE *out, const struct status *status)
{
	static const char name[] = "usher_ends_total";

	write_head(out, name, "counter", "Connections ended, by reason.");
	for (uint32_t row = 0; row <= status->rows; row++) {
		const struct tally *tally = row < status->rows ?
		    &status->board->services[row] :
		    &status->board->head->unserved;

		for (unsigned end = END_NONE + 1; end < END_COUNT; end++) {
			fprintf(out, "%s{", name);
			write_label(out, "service", name_of(status, row));
			fputc(',', out);
			write_label(out, "end", end_name(end));
			fprintf(out, "} %llu\n",
			    (unsigned long long)atomic_load(&tally->ends[end]));
		}
	}
}

void
status_write_prometheus(FILE *out, const struct status *status)
{
	write_head(out, "usher_pending", "gauge",
	    "Connections without a decision yet.");
	fprintf(out, "usher_pending %u\n", (unsigned)status->pending);
	for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
		write_metric(out, status, &metrics[i]);
	write_ends(out, status);
}
