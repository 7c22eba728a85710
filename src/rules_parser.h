/*
 * rules_parser.h - what the parts of the parser share while they read.
 *
 * The one idea: every part does one thing to a struct parser and returns 0,
 * -EINVAL after it has noted a mistake, or -ENOMEM; only the last ends the
 * reading, so that all mistakes are found in one go.
 *
 *	rules.c          files
 *	rules_lines.c    lines
 *	rules_section.c  sections, and what may stand together
 *	rules_value.c    values of settings
 *	rules_target.c   addresses and everything about where it goes
 *	rules_condition.c, rules_payload.c   values of conditions
 *	rules_lint.c, rules_index.c, rules_overlap.c, rules_conflict.c
 *	                 what is wrong between services
 *	rules_loop.c     backends that are usher itself
 */
#ifndef USHER_RULES_PARSER_H
#define USHER_RULES_PARSER_H

#include "arena.h"
#include "mistake.h"
#include "rules.h"
#include "rules_keys.h"
#include "rules_text.h"

/* A section while it is read, and what lint must know of it later. */
struct draft {
	struct place at; /* its [ */
	size_t name_len; /* of service.name */
	struct place *backend_at; /* where each stands, beside backends */
	bool doubtful; /* it has mistakes: no conclusions are drawn from it */
	bool unread; /* it has a line that was not understood at all */
	bool limit_set[KEYS_MAX]; /* by index in keys */
	struct service service; /* values in scratch memory until finished */
	/* where each value stands, beside service.conditions[].values */
	struct place *value_at[COND_KINDS];
	size_t value_room[COND_KINDS];
	/* for lint: a value that is not negated, and the condition or NULL */
	bool wants[COND_KINDS];
	const struct condition *by_kind[COND_KINDS];
};

struct parser {
	struct rules *rules;
	struct arena *arena; /* what the rules keep */
	struct arena *scratch; /* what they do not */
	struct mistakes *mistakes;
	rules_resolve *resolve; /* NULL: numeric addresses only */
	bool again; /* services have been compared with each other before */
	struct place here; /* the line that is read; col is never looked at */
	struct place setting_at[KEYS_MAX]; /* where each was set */
	struct place key_at[KEYS_MAX]; /* the same in this section */
	struct draft **drafts;
	size_t n_drafts, room;
	struct draft *now; /* the section that is read; NULL: above the first */
};

/* Where text, which is in the line that is read, stands. */
struct place parser_place(const struct parser *parser, const char *text);

/*
 * Notes a mistake about the place where text stands.  The rest are parts of
 * the message.
 */
#define COMPLAIN(parser, text, ...) \
	parser_complain(            \
	    (parser), (text), (const char *const[]){ __VA_ARGS__, NULL })

#define WARN(parser, text, ...) \
	parser_warn(            \
	    (parser), (text), (const char *const[]){ __VA_ARGS__, NULL })

/* The same about a place that was kept. */
#define COMPLAIN_AT(parser, place, ...)                  \
	mistakes_add((parser)->mistakes, (place), false, \
	    (const char *const[]){ __VA_ARGS__, NULL })
#define WARN_AT(parser, place, ...)                     \
	mistakes_add((parser)->mistakes, (place), true, \
	    (const char *const[]){ __VA_ARGS__, NULL })

/* Returns -EINVAL, for "return COMPLAIN(...)". */
int parser_complain(
    struct parser *parser, const char *text, const char *const parts[]);
void parser_warn(
    struct parser *parser, const char *text, const char *const parts[]);

/* Parts: the word or the text between quotes. */
#define QUOTE(parser, text, n) mistakes_quote((parser)->mistakes, (text), (n))
#define QUOTE_WORD(parser, word) \
	mistakes_quote((parser)->mistakes, (word).text, (word).len)
#define PLACE(parser, place) mistakes_place((parser)->mistakes, (place))
#define NUMBER(parser, n) mistakes_number((parser)->mistakes, (n))

/*
 * Reads value, which is not empty, for key and stores it at field, which is
 * of the type that key->type says.
 */
typedef int value_read(struct parser *parser, const struct key *key,
    struct words value, void *field);

value_read read_duration, read_count, read_choice, read_text, read_path,
    read_networks; /* rules_value.c */
value_read read_listen, read_backends, read_pass, read_bind, read_exec;

/* The reader of a key's type; conditions have read_condition. */
value_read *value_reader(enum key_type type);

/* Warns if mistakes->look knows that something is wrong with name. */
void parser_look(
    struct parser *parser, const char *at, enum look look, const char *name);
void parser_look_at(struct parser *parser, const struct place *at,
    enum look look, const char *name);

/* Exactly one word, or a mistake at the second. */
int read_one_word(struct parser *parser, const struct key *key,
    struct words value, struct word *ret);

/* The word as NUL-terminated text in the rules' memory; not empty, no NUL. */
int read_string(
    struct parser *parser, const struct word *word, const char **ret);

/* One word as a network, with a better one in the message. */
int read_network(
    struct parser *parser, const struct word *word, struct network *ret);

/* Adds the values to the condition of the section that is read. */
int read_condition(
    struct parser *parser, const struct key *key, struct words value);

/* One word as a payload pattern (rules_payload.c). */
int read_payload(struct parser *parser, const struct word *word,
    struct payload_pattern *ret);

/*
 * rules_lines.c: all lines of one file, which begins above its own first
 * section.  0; -ENOMEM, or -E2BIG after noting why no more is read.
 */
int read_source(struct parser *parser, const struct rules_source *source);

/*
 * rules_section.c.  A section begins at bracket, with n bytes of name (0: none
 * that could be used), and ends before the next one.  Beginning returns
 * -E2BIG, after noting it, when there are too many.
 */
int section_begin(
    struct parser *parser, const char *bracket, const char *name, size_t n);
void section_end(struct parser *parser);

/* The value of a key that may stand here, if it may still. */
int section_assign(struct parser *parser, const struct key *key, const char *at,
    struct words value);

/* With all sections read: settings and drafts become the rules. */
int services_finish(struct parser *parser);

/* Notes what is wrong between services (rules_lint.c): 0 or -ENOMEM. */
int lint_services(struct parser *parser);

/* Then warns of what hardly was meant (rules_conflict.c). */
int lint_conflicts(struct parser *parser);

/* And of backends that are usher itself (rules_loop.c). */
void lint_loops(struct parser *parser);

#endif
