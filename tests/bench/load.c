/*
 * load.c - makes connections to a port on this machine and measures them.
 *
 *   load rate  -p PORT [-c CONNS] [-r SECONDS] [-T]
 *   load bulk  -p PORT [-c CONNS] [-b BYTES] [-u]
 *   load rtt   -p PORT [-c CONNS] [-b BYTES] [-n ROUNDS]
 *   load hold  -p PORT [-c CONNS]
 *   load flood -p PORT [-c CONNS] [-R PER-SECOND]
 *
 * All take -l SECONDS, after which a run ends and what is unfinished has
 * failed.  The result is one line of JSON; the exit status is 0 even if
 * connections failed, for that is a result.
 */
#include "bench.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static const struct verb {
	const char *name;
	void (*run)(const struct options *, struct result *);
} verbs[] = {
	{ "rate", run_rate },
	{ "bulk", run_bulk },
	{ "rtt", run_rtt },
	{ "hold", run_hold },
	{ "flood", run_flood },
};

_Noreturn static void
usage(void)
{
	fputs("usage: load rate|bulk|rtt|hold|flood -p PORT [-c CONNS]\n"
	      "            [-r SECONDS] [-l SECONDS] [-b BYTES] [-n ROUNDS]\n"
	      "            [-R PER-SECOND] [-T] [-u]\n",
	    stderr);
	exit(2);
}

static uint64_t
number(const char *text, uint64_t max)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno != 0 || end == text || *end || n == 0 || n > max) {
		fprintf(stderr, "load: not a number up to %llu: %s\n",
		    (unsigned long long)max, text);
		exit(2);
	}
	return n;
}

static int64_t
seconds(const char *text)
{
	char *end;
	double s = strtod(text, &end);

	if (end == text || *end || !(s > 0 && s <= 600))
		usage();
	return (int64_t)(s * (double)NS_PER_SEC);
}

static void
read_options(int argc, char **argv, struct options *ret)
{
	int c;

	while ((c = getopt(argc, argv, "b:c:l:n:p:r:R:Tu")) != -1) {
		switch (c) {
		case 'b':
			ret->bytes = number(optarg, 1ULL << 40);
			break;
		case 'c':
			ret->conns = (unsigned)number(optarg, CONNS_MAX);
			break;
		case 'l':
			ret->limit = seconds(optarg);
			break;
		case 'n':
			ret->rounds = (unsigned)number(optarg, 10000000);
			break;
		case 'p':
			ret->port = (uint16_t)number(optarg, 65535);
			break;
		case 'r':
			ret->run = seconds(optarg);
			break;
		case 'R':
			ret->rate = (unsigned)number(optarg, 100000);
			break;
		case 'T':
			ret->tls = true;
			break;
		case 'u':
			ret->up = true;
			break;
		default:
			usage();
		}
	}
	if (ret->port == 0 || optind != argc)
		usage();
}

static void
print(struct result *result)
{
	struct samples *samples = &result->samples;

	printf("{\"done\": %lu, \"failed\": %lu, \"bytes\": %llu, "
	       "\"seconds\": %.9f, \"samples\": %zu, \"p50_us\": %.3f, "
	       "\"p99_us\": %.3f, \"max_us\": %.3f}\n",
	    result->done, result->failed, (unsigned long long)result->bytes,
	    (double)result->elapsed / (double)NS_PER_SEC, samples->n,
	    (double)samples_at(samples, 500) / 1e3,
	    (double)samples_at(samples, 990) / 1e3,
	    (double)samples_at(samples, 1000) / 1e3);
}

int
main(int argc, char **argv)
{
	struct options options = { .conns = 1,
		.run = NS_PER_SEC,
		.limit = 30 * NS_PER_SEC,
		.bytes = 64,
		.rounds = 1000,
		.rate = 1000 };
	struct result result = { 0 };
	size_t i;

	if (argc < 2)
		usage();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			break;
	if (i == sizeof(verbs) / sizeof(verbs[0]))
		usage();
	read_options(argc - 1, argv + 1, &options);
	raise_files();
	verbs[i].run(&options, &result);
	print(&result);
	free(result.samples.ns);
	return 0;
}
