/*
 * rules_keys.h - every key that a rules file may use, one row each.
 *
 * The one idea: parsing, defaults, messages, suggestions, the normal form and
 * help all come from these rows; a key is known nowhere else.
 */
#ifndef USHER_RULES_KEYS_H
#define USHER_RULES_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a key may stand, and which struct its value goes to. */
enum key_role {
	KEY_SETTING, /* above the first section: struct settings */
	KEY_LIMIT, /* there, and in a service for that one: struct limits */
	KEY_CONDITION, /* in a service: at is the enum condition_kind */
	KEY_TARGET, /* in a service, one of them: struct service */
	KEY_MODIFIER, /* in a service that has the target "of": the same */
};

/* What values look like; parsers and writers have a row for each. */
enum key_type {
	TYPE_DURATION, /* int64_t milliseconds, least..most, perhaps off */
	TYPE_COUNT, /* uint32_t, least..most */
	TYPE_CHOICE, /* one of choices, size bytes wide */
	TYPE_TEXT, /* const char *: one word */
	TYPE_PATH, /* the same, an absolute path */
	TYPE_LISTEN, /* struct addr * and size_t behind it */
	TYPE_NETWORKS, /* struct network * and size_t behind it */
	TYPE_BACKENDS, /* struct addr * and size_t behind it */
	TYPE_PASS, /* struct addr of a unix socket */
	TYPE_BIND, /* struct addr without a port */
	TYPE_EXEC, /* char **: a command line */
	TYPE_VALUES, /* a condition's */
	TYPE_COUNT_OF
};

/* A word and what it stands for; ends with a NULL name. */
struct choice {
	const char *name;
	unsigned value;
	bool alias; /* understood, but not what is written or listed */
};

struct key {
	const char *name;
	enum key_role role;
	enum key_type type;
	uint16_t at; /* offset of the value in its struct */
	uint8_t size; /* of the value, for TYPE_CHOICE */
	bool off; /* TYPE_DURATION: "off" is a value */
	uint8_t look; /* enum look: what TYPE_TEXT and "yes" are checked for */
	bool repeats; /* given again it adds to its list */
	const struct choice *choices;
	int64_t least, most;
	const char *fallback; /* the default as one would write it, or NULL */
	const char *of; /* KEY_MODIFIER: the target it belongs to */
	const char *help;
};

/* Settings, conditions, targets and modifiers, in the order of the dump. */
extern const struct key keys[];
extern const size_t keys_count;

/* At least keys_count: for arrays with a place for each key. */
#define KEYS_MAX 40

/* Whether the key may stand in a service, or above the first section. */
bool key_in_service(const struct key *key);
bool key_in_settings(const struct key *key);

/* The key called by n bytes of name that may stand there, or NULL. */
const struct key *key_find(const char *name, size_t n, bool in_service);

/* The nearest key that may stand there; *ret_likely: meant, most likely. */
const struct key *key_nearest(
    const char *name, size_t n, bool in_service, bool *ret_likely);

/* The row of the condition kind, an enum condition_kind. */
const struct key *key_of_condition(unsigned kind);

#endif
