#include "inquiry.h"

#include <syslog.h>

#include "deadline.h"
#include "log.h"
#include "origin.h"

/* What is missing stays so until somebody reads the log. */
#define AGAIN_US INT64_C(60000000)

#define ARGUMENTS_MAX 5 /* usher check -c FILE, and NULL */

void
inquiry_start(
    struct inquiry *inquiry, const char *path, char *const dump_argv[])
{
	static char check[] = "check";
	char *argv[ARGUMENTS_MAX] = { dump_argv[0], check };
	int64_t now_us = clock_us();
	int r;

	if (path == NULL || atomic_load(&inquiry->run.pid) != 0 ||
	    now_us < inquiry->due_us)
		return;
	for (int i = 2; i < ARGUMENTS_MAX - 1 && dump_argv[i] != NULL; i++)
		argv[i] = dump_argv[i];
	inquiry->due_us = now_us + AGAIN_US;
	r = reload_start(&inquiry->run, path, argv);
	if (r < 0)
		log_errno(LOG_ERR, "cannot run usher check", -r);
}

bool
inquiry_finish(struct inquiry *inquiry, pid_t pid)
{
	if (pid != atomic_load(&inquiry->run.pid))
		return false;
	reload_quote(&inquiry->run, origin_no_way_back);
	return true;
}
