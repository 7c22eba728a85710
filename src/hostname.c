#include "hostname.h"

#include "byte.h"

bool
hostname_is_usable(const uint8_t *text, size_t len)
{
	bool labels = false;
	size_t i;

	if (len > HOSTNAME_MAX)
		return false;
	for (i = 0; i < len; i++) {
		if (byte_is_alnum(text[i]) || text[i] == '-' || text[i] == '_')
			labels = true;
		else if (text[i] != '.')
			return false;
	}
	return labels;
}

/* How long the address in brackets is with which text begins; 0: none. */
static size_t
bracketed(const uint8_t *text, size_t len)
{
	size_t i;

	if (len == 0 || text[0] != '[')
		return 0;
	for (i = 1; i < len && i < HOSTNAME_MAX; i++) {
		if (text[i] == ']')
			return i > 1 ? i + 1 : 0;
		if (!byte_is_hex(text[i]) && text[i] != ':' && text[i] != '.')
			return 0;
	}
	return 0;
}

/* From at on: nothing, or a colon and digits, of which there may be none. */
static bool
is_port(const uint8_t *text, size_t at, size_t len)
{
	size_t i;

	if (at < len && text[at] != ':')
		return false;
	for (i = at + 1; i < len; i++)
		if (!byte_is_digit(text[i]))
			return false;
	return true;
}

bool
hostname_of_authority(const uint8_t *text, size_t len, struct span *ret)
{
	size_t host = bracketed(text, len);

	if (host == 0) {
		while (host < len && text[host] != ':')
			host++;
		if (!hostname_is_usable(text, host))
			return false;
	}
	if (!is_port(text, host, len))
		return false;
	*ret = (struct span){ 0, host };
	return true;
}
