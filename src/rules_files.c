/* rules_files.c - the files that rules are read from; see rules_files.h. */
#include "rules_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fd.h"
#include "mistake.h"
#include "resolve.h"
#include "rules_look.h"

#define BUILTIN_NAME "built-in rules"
#define CONF_D "conf.d/"
#define SUFFIX ".conf"
#define FILES_MAX 1024

/* One byte more than is allowed is enough to see that it is too much. */
#define READ_MAX (RULES_SIZE_MAX + 1)
#define READ_STEP ((size_t)64 * 1024)

static int
read_all(int fd, struct arena *arena, char **ret, size_t *ret_len)
{
	size_t n = 0, room = 0;
	char *text = NULL, *grown;
	ssize_t got;

	do {
		if (n == room) {
			grown = arena_grow(arena, text, room, room + READ_STEP);
			if (grown == NULL)
				return -ENOMEM;
			text = grown;
			room += READ_STEP;
		}
		got = read(fd, text + n, room - n);
		if (got < 0 && errno != EINTR)
			return -errno;
		n += got > 0 ? (size_t)got : 0;
	} while (got != 0 && n < READ_MAX);
	*ret = text;
	*ret_len = n;
	return 0;
}

static int
complain(struct mistakes *mistakes, const struct rules_files *files,
    const char *name, int error)
{
	struct rules_source source = { name, "", 0 };
	struct place place = { .source = &source, .index = (unsigned)files->n };
	const char *const parts[] = { "cannot read it: ", strerror(-error),
		NULL };

	mistakes_add(mistakes, &place, false, parts);
	return -EINVAL;
}

/* Reads one more file.  Returns -ENOENT, without a mistake, if it may be
 * missing and is. */
static int
add_file(struct rules_files *files, const char *name, bool may_be_missing,
    struct mistakes *mistakes)
{
	struct rules_source *source = &files->sources[files->n];
	size_t len = 0;
	char *text = NULL;
	FD_AUTO int fd = open(name, O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? -errno : read_all(fd, files->arena, &text, &len);

	if (r == -ENOENT && may_be_missing)
		return r;
	if (r < 0)
		return complain(mistakes, files, name, r);
	source->name = arena_text(files->arena, name, strlen(name));
	if (source->name == NULL)
		return -ENOMEM;
	source->text = text;
	source->len = len;
	files->n++;
	return 0;
}

static int
is_rules(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name), suffix = strlen(SUFFIX);

	return entry->d_name[0] != '.' && n > suffix &&
	    strcmp(entry->d_name + n - suffix, SUFFIX) == 0;
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* The path of conf.d beside path, with room for a name behind. */
static char *
conf_d_path(struct arena *arena, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash == NULL ? 0 : (size_t)(slash + 1 - path);
	char *directory = arena_alloc(arena,
	    n + strlen(CONF_D) + sizeof(((struct dirent *)NULL)->d_name));

	if (directory == NULL)
		return NULL;
	memcpy(directory, path, n);
	memcpy(directory + n, CONF_D, sizeof(CONF_D));
	return directory;
}

static int
add_conf_d(
    struct rules_files *files, const char *path, struct mistakes *mistakes)
{
	char *name = conf_d_path(files->arena, path), *end;
	struct dirent **entries;
	int n, r = 0;

	if (name == NULL)
		return -ENOMEM;
	end = name + strlen(name);
	n = scandir(name, &entries, is_rules, by_name);
	if (n < 0 && errno == ENOMEM)
		return -ENOMEM;
	if (n < 0)
		return errno == ENOENT ?
		    0 :
		    complain(mistakes, files, name, -errno);
	for (int i = 0; i < n; i++) {
		int one;

		memcpy(end, entries[i]->d_name, strlen(entries[i]->d_name) + 1);
		one = files->n < FILES_MAX ?
		    add_file(files, name, false, mistakes) :
		    complain(mistakes, files, name, -EMFILE);
		r = one < 0 && r != -ENOMEM ? one : r;
		free(entries[i]);
	}
	free(entries);
	return r;
}

static int
add_all(struct rules_files *files, const char *path, struct mistakes *mistakes)
{
	int r = add_file(files, path, true, mistakes), more;

	if (r == -ENOMEM)
		return r;
	more = add_conf_d(files, path, mistakes);
	if (more < 0)
		return more;
	if (r != -ENOENT)
		return r;
	files->origin = RULES_FROM_CONF_D;
	if (files->n > 0)
		return 0;
	files->origin = RULES_BUILT_IN;
	files->sources[files->n++] = (struct rules_source){ BUILTIN_NAME,
		rules_default_text, strlen(rules_default_text) };
	return 0;
}

int
rules_files_read(const char *file, const char *path, struct mistakes *mistakes,
    struct rules_files *ret)
{
	struct rules_files files = { .arena = arena_new() };
	int r = -ENOMEM;

	if (files.arena != NULL)
		files.sources = arena_alloc(
		    files.arena, FILES_MAX * sizeof(*files.sources));
	if (files.sources != NULL)
		r = file != NULL ? add_file(&files, file, false, mistakes) :
				   add_all(&files, path, mistakes);
	if (r < 0)
		rules_files_free(&files);
	else
		*ret = files;
	return r;
}

void
rules_files_free(struct rules_files *files)
{
	arena_free(files->arena);
}

static void
print_mistakes(const struct mistakes *mistakes, bool warnings)
{
	char buffer[MISTAKE_TEXT_MAX];
	size_t errors = 0;

	for (size_t i = 0; i < mistakes->n; i++) {
		const struct mistake *mistake = &mistakes->list[i];
		struct line line = LINE(buffer);

		errors += !mistake->warning;
		if (mistake->warning && !warnings)
			continue;
		mistake_write(&line, mistake);
		fputs(line.text, stderr);
	}
	if (errors < mistakes->n_errors)
		fprintf(stderr, "usher: and %zu more\n",
		    mistakes->n_errors - errors);
}

/* Whether what is needed was there; says so if not. */
static bool
is_enough(enum rules_origin origin, int flags)
{
	if (flags & RULES_NEED_FILE && origin != RULES_FROM_FILE) {
		fprintf(stderr, USHER_RULES_PATH ": cannot read it: %s\n",
		    strerror(ENOENT));
		return false;
	}
	if (flags & RULES_NEED_ANY && origin == RULES_BUILT_IN) {
		fputs("usher: no " USHER_RULES_PATH ", and nothing in " CONF_D
		      " beside it\n",
		    stderr);
		return false;
	}
	return true;
}

static int
parse_files(
    const char *file, int flags, struct mistakes *mistakes, struct rules **ret)
{
	struct rules_files files;
	int r = rules_files_read(file, USHER_RULES_PATH, mistakes, &files);

	if (r < 0)
		return r;
	if (!is_enough(files.origin, flags))
		r = -ENOENT;
	else
		r = rules_parse(
		    files.sources, files.n, resolve_name, mistakes, ret);
	if (r == 0)
		r = (int)files.origin;
	if (files.origin == RULES_BUILT_IN && r >= 0 && !(flags & RULES_QUIET))
		fputs("usher: no " USHER_RULES_PATH
		      ", so the built-in rules are used\n",
		    stderr);
	rules_files_free(&files);
	return r;
}

/* Like other names that are nobody's, these are an error. */
static int
find_users(struct rules *rules)
{
	const struct service *service;
	int r = resolve_users(rules, &service);

	if (r == -ENOENT)
		fprintf(stderr,
		    "usher: no such user: %s, whom [%s] runs %s as\n",
		    service->user, service->name, service->argv[0]);
	return r;
}

int
rules_load(const char *file, int flags, struct rules **ret)
{
	struct mistakes mistakes = {
		.look = flags & RULES_LOOK ? look_at_system : NULL,
	};
	struct rules *rules = NULL;
	int r = parse_files(file, flags, &mistakes, &rules), users;

	print_mistakes(&mistakes, !(flags & RULES_QUIET));
	mistakes_free(&mistakes);
	users = r < 0 ? r : find_users(rules);
	if (users < 0)
		r = users;
	if (r == -ENOMEM)
		fputs("usher: out of memory\n", stderr);
	if (r < 0) {
		rules_free(rules);
		return r;
	}
	*ret = rules;
	return r;
}
