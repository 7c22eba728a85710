/*
 * rules_write.c - rules in normal form: every setting, every service.  Only
 * programs with stdio link this.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "rules.h"
#include "rules_keys.h"
#include "rules_write.h"

static void
write_addrs(FILE *out, const struct addr *addrs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			putc(' ', out);
		put_addr(out, &addrs[i]);
	}
}

static const char *
choice_name(const struct key *key, const void *field)
{
	const struct choice *choice = key->choices;
	uint32_t wide;
	uint8_t narrow;

	memcpy(&narrow, field, sizeof(narrow));
	wide = narrow;
	if (key->size == sizeof(wide))
		memcpy(&wide, field, sizeof(wide));
	while (choice->name != NULL && choice->value != wide)
		choice++;
	return choice->name == NULL ? "" : choice->name;
}

static void
write_networks(FILE *out, const struct settings *settings)
{
	for (size_t i = 0; i < settings->n_accept_proxy; i++) {
		fputs("accept-proxy = ", out);
		put_network(out, &settings->accept_proxy[i]);
		putc('\n', out);
	}
}

static void
write_argv(FILE *out, char *const *argv)
{
	for (size_t i = 0; argv[i] != NULL; i++) {
		if (i > 0)
			putc(' ', out);
		put_word(out, argv[i], strlen(argv[i]));
	}
}

static void
write_text(FILE *out, const void *field)
{
	const char *const *text = field;

	put_word(out, *text, strlen(*text));
}

/* What stands behind "key = ". */
static void
write_field(FILE *out, const struct key *key, const void *field,
    const struct addr *addrs, size_t n)
{
	switch (key->type) {
	case TYPE_DURATION:
		put_duration(out, *(const int64_t *)field);
		break;
	case TYPE_COUNT:
		fprintf(out, "%u", (unsigned)*(const uint32_t *)field);
		break;
	case TYPE_CHOICE:
		fputs(choice_name(key, field), out);
		break;
	case TYPE_TEXT:
	case TYPE_PATH:
		write_text(out, field);
		break;
	case TYPE_LISTEN:
	case TYPE_BACKENDS:
		write_addrs(out, addrs, n);
		break;
	case TYPE_PASS:
		put_addr(out, field);
		break;
	case TYPE_BIND:
		put_host(out, field);
		break;
	case TYPE_EXEC:
		write_argv(out, *(char *const *const *)field);
		break;
	case TYPE_NETWORKS:
	case TYPE_VALUES:
	case TYPE_COUNT_OF:
		break;
	}
}

/* Whether a setting without a default was left out. */
static bool
is_unset(const struct key *key, const void *field)
{
	switch (key->type) {
	case TYPE_TEXT:
	case TYPE_PATH:
	case TYPE_LISTEN:
		return *(const void *const *)field == NULL;
	default:
		return false;
	}
}

static void
write_setting(FILE *out, const struct key *key, const struct settings *settings)
{
	const char *base = key->role == KEY_LIMIT ?
	    (const char *)&settings->limits :
	    (const char *)settings;

	if (key->type == TYPE_NETWORKS) {
		write_networks(out, settings);
		return;
	}
	if (is_unset(key, base + key->at))
		return;
	fprintf(out, "%s = ", key->name);
	write_field(
	    out, key, base + key->at, settings->listen, settings->n_listen);
	putc('\n', out);
}

static const char *
target_name(const struct service *service)
{
	switch (service->target) {
	case GO_BACKEND:
		return "backend";
	case GO_EXEC:
		return "exec";
	case GO_PASS:
		return "pass";
	case GO_CLOSE:
	case GO_RESET:
		break;
	}
	return "reject";
}

/* Whether the row says something about this service. */
static bool
applies(const struct key *key, const struct service *service)
{
	const char *field = (const char *)service + key->at;
	static const uint8_t zeroes[sizeof(struct addr)];
	size_t size = key->type == TYPE_CHOICE ? key->size :
	    key->type == TYPE_BIND             ? sizeof(service->bind) :
						 sizeof(char *);

	switch (key->role) {
	case KEY_LIMIT:
		return key->type != TYPE_COUNT ||
		    service->limits.max_connections > 0;
	case KEY_TARGET:
		return strcmp(key->name, target_name(service)) == 0;
	case KEY_MODIFIER:
		return strcmp(key->of, target_name(service)) == 0 &&
		    memcmp(field, zeroes, size) != 0;
	case KEY_SETTING:
	case KEY_CONDITION:
		break;
	}
	return false;
}

static void
write_role(FILE *out, enum key_role role, const struct service *service)
{
	const char *base = role == KEY_LIMIT ? (const char *)&service->limits :
					       (const char *)service;

	for (size_t i = 0; i < keys_count; i++) {
		if (keys[i].role != role || !applies(&keys[i], service))
			continue;
		fprintf(out, "%s = ", keys[i].name);
		write_field(out, &keys[i], base + keys[i].at, service->backends,
		    service->n_backends);
		putc('\n', out);
	}
}

static void
write_service(FILE *out, const struct service *service)
{
	fprintf(out, "\n[%s]\n", service->name);
	for (size_t i = 0; i < service->n_conditions; i++)
		put_condition(out, &service->conditions[i]);
	write_role(out, KEY_TARGET, service);
	write_role(out, KEY_MODIFIER, service);
	write_role(out, KEY_LIMIT, service);
}

int
rules_write(FILE *out, const struct rules *rules)
{
	for (size_t i = 0; i < keys_count; i++)
		if (key_in_settings(&keys[i]))
			write_setting(out, &keys[i], &rules->settings);
	for (size_t i = 0; i < rules->n_services; i++)
		write_service(out, &rules->services[i]);
	if (fflush(out) != 0)
		return errno == 0 ? -EIO : -errno;
	return ferror(out) ? -EIO : 0;
}
