/* SPDX-License-Identifier: MIT */
/*
 * credential.c: makes and checks ids, keys and secrets of apps.  Pure, except
 * for the system's random numbers.  It never prints a secret; its sentences are
 * only about the form of one.
 */

#include "shared/app/credential.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "shared/base/xmalloc.h"
#include "shared/crypto/sign.h"
#include "shared/net/ws_frame.h"

#define NAME_MAX_BYTES 128
#define SECRET_MAX_BYTES 256
#define MASK_SHOWN 4
#define MASK_LEAST 12

static const char quoted[] =
    "is in quotes, which would be a part of it: remove them";

void
credential_make_id(char out[CREDENTIAL_ID_MAX], unsigned digits)
{
	char hex[16 + 1];
	unsigned char raw[8];
	uint64_t n = 0, least = 1;
	unsigned i;

	assert(digits >= 6 && digits < CREDENTIAL_ID_MAX);
	sign_random_hex(hex, 16);
	if (str_unhex(str_of(hex), raw, sizeof(raw)) == -1)
		assert(!"sign_random_hex gives hex digits");
	for (i = 0; i < sizeof(raw); i++)
		n = n << 8 | raw[i];
	for (i = 1; i < digits; i++)
		least *= 10;
	snprintf(out, CREDENTIAL_ID_MAX, "%" PRIu64, least + n % (9 * least));
}

/*
 * Quotes that a tool passed on with the value (docker --env-file does): they
 * would count as a part of it.
 */
static bool
is_quoted(struct str s)
{
	return s.n >= 2 && (s.p[0] == '"' || s.p[0] == '\'') &&
	    s.p[s.n - 1] == s.p[0];
}

const char *
credential_check_name(struct str s)
{
	size_t i;
	char c;

	if (s.n == 0)
		return "is empty";
	if (is_quoted(s))
		return quoted;
	if (s.n > NAME_MAX_BYTES)
		return "is longer than 128 characters";
	for (i = 0; i < s.n; i++) {
		c = s.p[i];
		if ((c < '0' || c > '9') && (c < 'A' || c > 'Z') &&
		    (c < 'a' || c > 'z') && c != '_' && c != '-' && c != '.')
			return "may have only A-Z a-z 0-9 _ - and .";
	}
	return NULL;
}

static bool
has_control(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return true;
	return false;
}

const char *
credential_check_secret(struct str s)
{
	if (s.n == 0)
		return "is empty";
	if (s.n > SECRET_MAX_BYTES)
		return "is longer than 256 bytes";
	if (has_control(s))
		return "has control characters";
	if (!utf8_is_valid(s))
		return "is not UTF-8";
	if (is_quoted(s))
		return quoted;
	if (str_trim(s).n != s.n)
		return "begins or ends with a blank";
	return NULL;
}

const char *
credential_check_label(struct str s)
{
	if (s.n > NAME_MAX_BYTES)
		return "is longer than 128 bytes";
	if (has_control(s))
		return "has control characters";
	if (!utf8_is_valid(s))
		return "is not UTF-8";
	return NULL;
}

char *
credential_mask(const char *secret)
{
	size_t n = 0, shown = 0;

	if (strlen(secret) < MASK_LEAST)
		return xstrdup("\xe2\x80\xa6"); /* too short to show a part */
	/* Characters, not bytes: the rest of one is never cut off. */
	while (secret[n] != '\0' && shown < MASK_SHOWN) {
		n++;
		while (((unsigned char)secret[n] & 0xc0) == 0x80)
			n++;
		shown++;
	}
	return xasprintf("%.*s\xe2\x80\xa6", (int)n, secret);
}
