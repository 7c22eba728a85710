#include "inquiry.h"

#include <syslog.h>

#include "deadline.h"
#include "log.h"
#include "origin.h"

/* What is missing stays so until somebody reads the log. */
#define AGAIN_US INT64_C(60000000)

void
inquiry_start(struct inquiry *inquiry, const char *path, char *config)
{
	static char usher[] = "usher", check[] = "check", c[] = "-c";
	char *argv[] = { usher, check, config ? c : NULL, config, NULL };
	int64_t now_us = clock_us();
	int r;

	if (path == NULL || atomic_load(&inquiry->run.pid) != 0 ||
	    now_us < inquiry->due_us)
		return;
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
