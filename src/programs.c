#include "programs.h"

#include <string.h>
#include <unistd.h>

#include "line.h"

void
programs_beside(const char *name, char path[PROGRAMS_PATH_MAX])
{
	char self[PROGRAMS_PATH_MAX];
	struct line text = line_over(path, PROGRAMS_PATH_MAX);
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *slash = n > 0 ? memrchr(self, '/', (size_t)n) : NULL;

	/* Without /proc there is only where they are installed. */
	if (slash != NULL)
		line_bytes(&text, self, (size_t)(slash - self) + 1);
	else
		line_text(&text, USHER_SBINDIR "/");
	line_text(&text, name);
}

void
programs_relay(char path[PROGRAMS_PATH_MAX])
{
	struct line text;

	programs_beside("usher-relay", path);
	if (access(path, X_OK) == 0)
		return;
	text = line_over(path, PROGRAMS_PATH_MAX);
	line_text(&text, USHER_RELAY_PATH);
}
