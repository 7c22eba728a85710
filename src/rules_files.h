/*
 * rules_files.h - the files that rules are read from.
 *
 * The one idea: with -c one file is read; without, usher.conf and then
 * conf.d/NAME.conf beside it in the order of the names; and if there is none
 * of these, the built-in rules.  For usher only.
 */
#ifndef USHER_RULES_FILES_H
#define USHER_RULES_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "arena.h"
#include "rules.h"

/* What was there, from best to worst. */
enum rules_origin {
	RULES_FROM_FILE, /* the file itself */
	RULES_FROM_CONF_D, /* only files in conf.d */
	RULES_BUILT_IN, /* nothing */
};

struct rules_files {
	struct rules_source *sources;
	size_t n;
	enum rules_origin origin;
	struct arena *arena; /* owns the names and texts */
};

/*
 * Reads file alone, or, if file is NULL, the files at path, 1024 at most.
 * Files that cannot be read are mistakes.  Returns 0, -EINVAL with a mistake,
 * or -ENOMEM; ret is to be freed only after 0.
 */
int rules_files_read(const char *file, const char *path,
    struct mistakes *mistakes, struct rules_files *ret);
void rules_files_free(struct rules_files *files);

/* What rules_load may be told. */
enum {
	RULES_LOOK =
	    1, /* warn of programs, sockets and users that are missing */
	RULES_QUIET = 2, /* say nothing of warnings and built-in rules */
	RULES_NEED_FILE = 4, /* the file must be there, as conf.d may not be */
	RULES_NEED_ANY = 8, /* a file must be there, of whatever name */
};

/*
 * Reads and parses the rules for a verb: the file given with -c, or NULL for
 * the default place.  All mistakes, and that the built-in rules are used, are
 * said on standard error.  Returns an enum rules_origin and *ret, which the
 * caller frees with rules_free(); or -ENOENT, -EINVAL or -ENOMEM, said too.
 */
int rules_load(const char *file, int flags, struct rules **ret);

#endif
