#include "reload.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "fd.h"
#include "handover.h"
#include "lean.h"
#include "line.h"
#include "log.h"
#include "process.h"
#include "signals.h"

/* What a program may say before it counts as gone mad; as for the rules. */
#define OUTPUT_MAX (8 * RULES_SIZE_MAX)

/*
 * How long usher dump may take, which asks name servers: a reload that never
 * ended would keep all later ones from beginning.
 */
#define DUMP_SECONDS 120

/* A file's content, mapped. */
struct content {
	char *text;
	size_t len;
};

static int
map(int fd, struct content *ret)
{
	struct stat st;
	void *at;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size > OUTPUT_MAX)
		return -EFBIG;
	ret->text = NULL;
	ret->len = (size_t)st.st_size;
	if (ret->len == 0)
		return 0;
	at = mmap(NULL, ret->len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	ret->text = at;
	return 0;
}

static void
unmap(const struct content *content)
{
	if (content->text != NULL)
		(void)munmap(content->text, content->len);
}

/*
 * One line of what the other program said, made safe, if it holds text; NULL:
 * in any case.
 */
static void
pass_on(int priority, const char *said, size_t n, const char *text)
{
	char buffer[1024];
	struct line line = LINE(buffer);

	for (size_t i = 0; i < n; i++)
		line_char(
		    &line, said[i] >= 0x20 && said[i] != 0x7f ? said[i] : ' ');
	if (text == NULL || strstr(buffer, text) != NULL)
		log_event(priority, buffer);
}

/* Returns whether there was any. */
static bool
log_output(int fd, int priority, const char *text)
{
	struct content said;
	const char *at, *end;

	if (map(fd, &said) < 0 || said.len == 0)
		return false;
	for (at = said.text; at < said.text + said.len; at = end + 1) {
		size_t left = (size_t)(said.text + said.len - at);

		end = memchr(at, '\n', left);
		if (end == NULL)
			end = at + left;
		pass_on(priority, at, (size_t)(end - at), text);
	}
	unmap(&said);
	return true;
}

static void
log_mistakes(const struct mistakes *mistakes)
{
	char buffer[1024];

	for (size_t i = 0; i < mistakes->n; i++) {
		const struct mistake *m = &mistakes->list[i];
		struct line line = LINE(buffer);

		if (m->warning)
			continue;
		line_text(&line, m->file);
		line_char(&line, ':');
		line_uint(&line, m->line);
		line_char(&line, ':');
		line_uint(&line, m->col);
		line_text(&line, ": ");
		line_text(&line, m->message);
		log_event(LOG_ERR, buffer);
	}
}

/* again: usher wrote them, who has looked at all of them together. */
static int
read_rules(int fd, bool again, struct mistakes *mistakes, struct rules **ret)
{
	struct content content;
	struct rules_source source = { .name = "rules" };
	int r = map(fd, &content);

	if (r < 0)
		return r;
	source.text = content.text == NULL ? "" : content.text;
	source.len = content.len;
	r = again ? rules_parse_again(&source, mistakes, ret) :
		    rules_parse(&source, 1, NULL, mistakes, ret);
	unmap(&content);
	return r;
}

LEAN_ASIDE struct mistakes reload_mistakes;

int
reload_try(int fd, struct rules **ret)
{
	int r = read_rules(fd, false, &reload_mistakes, ret);

	mistakes_free(&reload_mistakes);
	memset(&reload_mistakes, 0, sizeof(reload_mistakes));
	return r;
}

int
reload_read(int fd, struct rules **ret)
{
	int r = read_rules(fd, true, &reload_mistakes, ret);

	if (r == -EINVAL)
		log_mistakes(&reload_mistakes);
	else if (r < 0)
		log_errno(LOG_ERR, "cannot read the rules", -r);
	mistakes_free(&reload_mistakes);
	memset(&reload_mistakes, 0, sizeof(reload_mistakes));
	return r;
}

/* Where what usher dump says goes: whoever reads that puts a name in front. */
static void
say_cannot_run(const char *verb, int error)
{
	char buffer[256];
	struct line text = LINE(buffer);

	line_text(&text, "cannot run usher ");
	line_text(&text, verb);
	line_text(&text, ": ");
	line_text(&text, strerror(error));
	if (write(STDERR_FILENO, text.text, text.len) < 0)
		return;
}

_Noreturn static void
be_dump(const struct reload *reload, const char *path, char *const argv[])
{
	signals_release();
	(void)alarm(DUMP_SECONDS);
	if (dup2(reload->out, 1) >= 0 && dup2(reload->err, 2) >= 0)
		execv(path, argv);
	say_cannot_run(argv[1], errno);
	_exit(127);
}

static void
drop(struct reload *reload)
{
	fd_close_auto(&reload->out);
	fd_close_auto(&reload->err);
	reload->out = reload->err = -1;
	atomic_store(&reload->pid, 0);
}

int
reload_start(struct reload *reload, const char *path, char *const argv[])
{
	int r;

	reload->out = memfd_create("rules", MFD_CLOEXEC);
	reload->err = memfd_create("mistakes", MFD_CLOEXEC);
	if (reload->out < 0 || reload->err < 0) {
		r = -errno;
		drop(reload);
		return r;
	}
	r = process_fork(&reload->pid);
	if (r == 0)
		be_dump(reload, path, argv);
	if (r < 0)
		drop(reload);
	return r < 0 ? r : 0;
}

int
reload_finish(struct reload *reload, int status, struct rules **ret)
{
	bool said = log_output(reload->err, LOG_ERR, NULL);
	int r;

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		r = reload_read(reload->out, ret);
	} else {
		r = -EINVAL;
		if (WIFSIGNALED(status))
			log_event(LOG_ERR, "usher dump was killed");
		else if (!said)
			log_event(LOG_ERR, "usher dump failed without a word");
	}
	drop(reload);
	return r;
}

void
reload_quote(struct reload *reload, const char *text)
{
	(void)log_output(reload->err, LOG_WARNING, text);
	drop(reload);
}
