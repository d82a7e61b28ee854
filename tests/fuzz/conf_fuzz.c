/* SPDX-License-Identifier: MIT */
/*
 * Configuration files: what is accepted is, printed by `pusherd -T`, the same
 * configuration again; what is refused is refused with the file and the line.
 * Input: the file.
 */

#include "shared/conf/conf.h"
#include "tests/fuzz/fuzz.h"

static char *
printed(const struct conf *c, size_t *n)
{
	char *text;
	FILE *f = open_memstream(&text, n);

	assert_non_null(f);
	conf_print(c, f);
	fclose(f);
	return text;
}

/* Without the origins, which differ: "    # " and the rest of each line. */
static struct str
without_origins(char *text, size_t n)
{
	struct str rest = { text, n }, line;
	size_t out = 0;

	while (rest.p != NULL) {
		const char *at;

		line = str_cut(&rest, '\n');
		for (at = line.p + line.n; at > line.p; at--)
			if (at - line.p >= 6 &&
			    memcmp(at - 6, "    # ", 6) == 0)
				break;
		if (at > line.p)
			line.n = (size_t)(at - 6 - line.p);
		memmove(text + out, line.p, line.n);
		out += line.n;
		text[out++] = '\n';
	}
	return str_make(text, out - 1);
}

static void
check_again(const struct conf *c)
{
	struct conf again;
	char *why = NULL, *a, *b;
	size_t na, nb;

	a = printed(c, &na);
	conf_init(&again);
	if (conf_read_text(&again, "again", str_make(a, na), &why) == -1)
		fail_msg("%s in: %s", why, a);
	b = printed(&again, &nb);
	if (!str_eq(without_origins(a, na), without_origins(b, nb)))
		fail_msg("%s\nis not %s", a, b);
	free(a);
	free(b);
	conf_clear(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct conf c;
	char *why = NULL;

	conf_init(&c);
	if (conf_read_text(&c, "file", str_make(p, n), &why) == -1) {
		assert_non_null(why);
		assert_true(strncmp(why, "file:", 5) == 0);
	} else {
		check_again(&c);
		if (conf_finish(&c, &why) == -1)
			assert_non_null(why);
		else
			assert_true(c.nworkers >= 1);
	}
	free(why);
	conf_clear(&c);
	return 0;
}
