#include "json.h"

#include <stdint.h>
#include <string.h>

void
json_string(FILE *out, const void *bytes, size_t n)
{
	const uint8_t *at = bytes;

	putc('"', out);
	for (size_t i = 0; i < n; i++) {
		if (at[i] == '"' || at[i] == '\\')
			fprintf(out, "\\%c", at[i]);
		else if (at[i] >= 0x20 && at[i] < 0x7f)
			putc(at[i], out);
		else
			fprintf(out, "\\u%04x", at[i]);
	}
	putc('"', out);
}

void
json_text(FILE *out, const char *text)
{
	if (text == NULL)
		fputs("null", out);
	else
		json_string(out, text, strlen(text));
}
