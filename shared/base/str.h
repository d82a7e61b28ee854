/* SPDX-License-Identifier: MIT */
#ifndef SHARED_BASE_STR_H
#define SHARED_BASE_STR_H

/*
 * A view of bytes: pointer and length, passed by value, not NUL-terminated.
 * A str never owns its bytes; unless said otherwise it is valid until the
 * function that was given it returns.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

struct str {
	const char *p;
	size_t n;
};

/* For printf: printf("%.*s", STR_ARG(s)). */
#define STR_ARG(s) ((int)(s).n), ((s).p)
/* A string literal as a view. */
#define S(lit) ((struct str){ (lit), sizeof(lit) - 1 })

static inline struct str
str_of(const char *s)
{
	return (struct str){ s, s == NULL ? 0 : strlen(s) };
}

static inline struct str
str_make(const void *p, size_t n)
{
	return (struct str){ p, n };
}

static inline bool
str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool
str_starts(struct str s, struct str prefix)
{
	return s.n >= prefix.n &&
	    (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

/* The bytes from `from` on; empty when `from` is past the end. */
static inline struct str
str_from(struct str s, size_t from)
{
	if (from > s.n)
		from = s.n;
	return (struct str){ s.p + from, s.n - from };
}

/* ASCII only, whatever the locale. */
bool str_eq_nocase(struct str a, struct str b);
bool str_ends(struct str s, struct str suffix);
/* Bytewise order, shorter first: <0, 0, >0. */
int str_cmp(struct str a, struct str b);
/* Position of the byte, or -1. */
ssize_t str_find(struct str s, char c);
/* Without leading and trailing blanks and tabs. */
struct str str_trim(struct str s);
/*
 * Cuts *rest at the first `sep`: returns the part before it and moves *rest
 * behind it.  Without a `sep` the whole is returned and rest->p becomes NULL,
 * so `while (rest.p != NULL)` walks all parts, including empty ones.
 */
struct str str_cut(struct str *rest, char sep);
/*
 * Decimal digits only: no sign, no blank, no empty text, leading zeros
 * allowed.  0, or -1 when it is no number or above `max`.
 */
int str_to_u64(struct str s, uint64_t max, uint64_t *out);
/* "500ms" or "2s" as milliseconds, 1 to max; -1: it is neither. */
int str_to_ms(struct str s, uint64_t max, uint64_t *ms);
/* Characters (code points) of valid UTF-8. */
size_t str_characters(struct str s);
/* Without the byte order mark that some editors put before UTF-8. */
struct str str_skip_bom(struct str s);
/* Lower-case hex of n bytes into out[2 * n + 1], NUL-terminated. */
void str_hex(const void *bytes, size_t n, char *out);
/* 0 to 15, or -1: no hex digit, in upper or lower case. */
static inline int
str_hex_digit(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/*
 * Lower-case hex to bytes.  0 when s has exactly 2 * n lower-case hex
 * digits, else -1.
 */
int str_unhex(struct str s, unsigned char *out, size_t n);
/*
 * Percent-decoding (RFC 3986, 2.1); with `form`, '+' is a blank too
 * (application/x-www-form-urlencoded).  out must have room for s.n bytes.
 * A '%' that two hex digits do not follow stays as it is.  Returns the
 * number of bytes written.
 */
size_t str_percent_decode(struct str s, bool form, char *out);

#endif
