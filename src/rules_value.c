/* rules_value.c - the values of settings; see rules_parser.h. */
#include "rules_parser.h"

#include <errno.h>
#include <string.h>

#include "duration.h"
#include "suggest.h"

int
read_one_word(struct parser *parser, const struct key *key, struct words value,
    struct word *ret)
{
	struct word second;
	int r = words_next(&value, parser->scratch, ret);

	if (r > 0)
		r = words_next(&value, parser->scratch, &second);
	if (r <= 0)
		return r;
	return COMPLAIN(parser, second.at, "\"", key->name,
	    "\" takes one value, what is ", QUOTE_WORD(parser, second),
	    " for?");
}

int
read_string(struct parser *parser, const struct word *word, const char **ret)
{
	const char *text;

	if (word->len == 0)
		return COMPLAIN(parser, word->at, "an empty value");
	if (memchr(word->text, '\0', word->len) != NULL)
		return COMPLAIN(parser, word->at, "no NUL byte can be here");
	text = arena_text(parser->arena, word->text, word->len);
	if (text == NULL)
		return -ENOMEM;
	*ret = text;
	return 0;
}

/* The text of a duration in the parser's passing memory, for messages. */
static const char *
spell(struct parser *parser, int64_t ms)
{
	char buffer[32];
	struct line line = LINE(buffer);

	duration_write(&line, ms);
	return arena_text(parser->scratch, line.text, line.len);
}

/* Why text, the n bytes of value without quotes, is no duration. */
static int
explain_duration(struct parser *parser, struct words value, const char *text,
    size_t n, int error, const struct duration_fault *fault)
{
	if (error == -ERANGE)
		return COMPLAIN(parser, value.at,
		    "longer than anything lasts, write off for no limit");
	if (fault->unit != NULL && fault->unit > text)
		return COMPLAIN(parser, value.at, "unknown unit ",
		    QUOTE(parser, fault->unit, fault->len),
		    ", expected " DURATION_UNITS);
	return COMPLAIN(parser, value.at, QUOTE(parser, text, n),
	    " is no duration, expected one such as 500ms, 3s, 5min or 24h");
}

static int
check_duration(
    struct parser *parser, const struct key *key, const char *text, int64_t ms)
{
	const char *least = spell(parser, key->least);
	const char *most = spell(parser, key->most);

	if (ms == DURATION_OFF && !key->off)
		return COMPLAIN(parser, text, "\"", key->name,
		    "\" cannot be off, expected ", least, " to ", most);
	if (ms == 0 && key->off)
		return COMPLAIN(parser, text,
		    "0 leaves no time at all, write off for no limit");
	if (ms != DURATION_OFF && (ms < key->least || ms > key->most))
		return COMPLAIN(parser, text, spell(parser, ms),
		    " is out of range, expected ", least, " to ", most,
		    key->off ? " or off" : "");
	return 0;
}

int
read_duration(struct parser *parser, const struct key *key, struct words value,
    void *field)
{
	/* Quoted or not, the blanks are its own: "1h 30min". */
	size_t n = (size_t)(value.end - value.at);
	struct duration_fault fault;
	char *text = arena_alloc(parser->scratch, n + 1);
	int64_t ms;
	int r;

	if (text == NULL)
		return -ENOMEM;
	n = text_unquote(text, value.at, n);
	r = duration_parse(text, n, &ms, &fault);
	if (r < 0)
		return explain_duration(parser, value, text, n, r, &fault);
	r = check_duration(parser, key, value.at, ms);
	if (r == 0)
		*(int64_t *)field = ms;
	return r;
}

/* Decimal digits only; what is too large to matter becomes INT64_MAX. */
static bool
parse_count(const struct word *word, int64_t *ret)
{
	int64_t value = 0;

	for (size_t i = 0; i < word->len; i++) {
		if (word->text[i] < '0' || word->text[i] > '9')
			return false;
		if (value > INT64_MAX / 10 - 1)
			value = INT64_MAX / 10 - 1;
		value = value * 10 + (word->text[i] - '0');
	}
	*ret = value;
	return true;
}

int
read_count(struct parser *parser, const struct key *key, struct words value,
    void *field)
{
	struct word word;
	int64_t count;
	int r = read_one_word(parser, key, value, &word);

	if (r < 0)
		return r;
	if (!parse_count(&word, &count))
		return COMPLAIN(parser, word.at, QUOTE_WORD(parser, word),
		    " is no number, expected ",
		    NUMBER(parser, (uint64_t)key->least), " to ",
		    NUMBER(parser, (uint64_t)key->most));
	if (count < key->least || count > key->most)
		return COMPLAIN(parser, word.at, QUOTE_WORD(parser, word),
		    " is out of range, expected ",
		    NUMBER(parser, (uint64_t)key->least), " to ",
		    NUMBER(parser, (uint64_t)key->most));
	*(uint32_t *)field = (uint32_t)count;
	return 0;
}

/* "all, errors or none", in the parser's passing memory. */
static const char *
list_choices(struct parser *parser, const struct choice *choices)
{
	char buffer[128];
	struct line line = LINE(buffer);

	for (; choices->name != NULL && !choices->alias; choices++) {
		bool last = choices[1].name == NULL || choices[1].alias;

		if (line.len > 0)
			line_text(&line, last ? " or " : ", ");
		line_text(&line, choices->name);
	}
	return arena_text(parser->scratch, line.text, line.len);
}

static int
explain_choice(
    struct parser *parser, const struct key *key, const struct word *word)
{
	struct suggestion best = { NULL, 0 };
	const char *list = list_choices(parser, key->choices);
	const struct choice *choice;

	for (choice = key->choices; choice->name != NULL; choice++)
		if (!choice->alias)
			suggest_offer(
			    &best, word->text, word->len, choice->name);
	if (!suggest_likely(&best, word->len))
		return COMPLAIN(parser, word->at, "unknown value ",
		    QUOTE_WORD(parser, *word), ", expected ", list);
	return COMPLAIN(parser, word->at, "unknown value ",
	    QUOTE_WORD(parser, *word), ", did you mean \"", best.name,
	    "\"? expected ", list);
}

int
read_choice(struct parser *parser, const struct key *key, struct words value,
    void *field)
{
	const struct choice *choice = key->choices;
	struct word word;
	uint8_t narrow;
	uint32_t wide;
	int r = read_one_word(parser, key, value, &word);

	if (r < 0)
		return r;
	while (choice->name != NULL && !word_is(&word, choice->name))
		choice++;
	if (choice->name == NULL)
		return explain_choice(parser, key, &word);
	narrow = (uint8_t)choice->value;
	wide = choice->value;
	if (key->size == sizeof(narrow))
		memcpy(field, &narrow, sizeof(narrow));
	else
		memcpy(field, &wide, sizeof(wide));
	if (choice->value > 0 && key->look != LOOK_NOT)
		parser_look(parser, word.at, key->look, "");
	return 0;
}

static int
take_text(struct parser *parser, const struct key *key, struct words value,
    bool path, const char **ret)
{
	const char *text;
	struct word word;
	int r = read_one_word(parser, key, value, &word);

	if (r < 0)
		return r;
	r = read_string(parser, &word, &text);
	if (r < 0)
		return r;
	if (path && text[0] != '/')
		return COMPLAIN(parser, word.at, QUOTE_WORD(parser, word),
		    " is no absolute path, expected /...");
	if (key->look != LOOK_NOT)
		parser_look(parser, word.at, key->look, text);
	*ret = text;
	return 0;
}

int
read_text(struct parser *parser, const struct key *key, struct words value,
    void *field)
{
	return take_text(parser, key, value, false, field);
}

int
read_path(struct parser *parser, const struct key *key, struct words value,
    void *field)
{
	return take_text(parser, key, value, true, field);
}

/* 192.0.2.1/24 as 192.0.2.0/24. */
static bool
round_network(const struct word *word, struct network *ret)
{
	const char *slash = memchr(word->text, '/', word->len);
	size_t host = (size_t)(slash - word->text);
	struct word prefix = { .len = word->len - host - 1 };
	int64_t bits;

	prefix.text = slash + 1;
	if (network_parse(word->text, host, ret) < 0 ||
	    !parse_count(&prefix, &bits))
		return false;
	ret->bits = (uint8_t)(bits + (ret->v4 ? 96 : 0));
	for (unsigned i = ret->bits; i < sizeof(ret->bytes) * 8; i++)
		ret->bytes[i / 8] &= (uint8_t) ~(0x80u >> i % 8);
	return true;
}

int
read_network(
    struct parser *parser, const struct word *word, struct network *ret)
{
	char buffer[ADDR_TEXT_MAX];
	struct line line = LINE(buffer);
	struct network fixed;
	int r = network_parse(word->text, word->len, ret);

	if (r == 0)
		return 0;
	if (r == -EDOM && round_network(word, &fixed)) {
		network_write(&line, &fixed);
		return COMPLAIN(parser, word->at, QUOTE_WORD(parser, *word),
		    " has bits set behind its prefix, did you mean ", line.text,
		    "?");
	}
	return COMPLAIN(parser, word->at, QUOTE_WORD(parser, *word),
	    " is no network, expected one such as 192.0.2.0/24, "
	    "2001:db8::/32 or a single address");
}

int
read_networks(struct parser *parser, const struct key *key, struct words value,
    void *field)
{
	struct settings *settings = &parser->rules->settings;
	size_t old = settings->n_accept_proxy, n = words_count(value);
	struct network *list;
	struct word word;
	int r = 0, next;

	(void)key;
	(void)field;
	list = arena_grow(parser->arena, settings->accept_proxy,
	    old * sizeof(*list), (old + n) * sizeof(*list));
	if (list == NULL)
		return -ENOMEM;
	settings->accept_proxy = list;
	while ((next = words_next(&value, parser->scratch, &word)) > 0) {
		int one = read_network(
		    parser, &word, &list[settings->n_accept_proxy]);

		settings->n_accept_proxy += one == 0;
		r = one < 0 ? one : r;
	}
	return next < 0 ? next : r;
}

value_read *
value_reader(enum key_type type)
{
	static value_read *const readers[TYPE_COUNT_OF] = {
		[TYPE_DURATION] = read_duration,
		[TYPE_COUNT] = read_count,
		[TYPE_CHOICE] = read_choice,
		[TYPE_TEXT] = read_text,
		[TYPE_PATH] = read_path,
		[TYPE_LISTEN] = read_listen,
		[TYPE_NETWORKS] = read_networks,
		[TYPE_BACKENDS] = read_backends,
		[TYPE_PASS] = read_pass,
		[TYPE_BIND] = read_bind,
		[TYPE_EXEC] = read_exec,
	};

	return readers[type];
}
