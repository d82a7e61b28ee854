/* SPDX-License-Identifier: MIT */
/*
 * Channel names, user ids, socket ids, origins, signatures of clients and the
 * JSON about who they are.  Input: which of them, a limit, the bytes.
 */

#include "shared/json/json_slice.h"
#include "shared/net/ws_frame.h"
#include "shared/pusher/channel_auth.h"
#include "shared/pusher/channel_name.h"
#include "shared/pusher/event_rules.h"
#include "tests/fuzz/fuzz.h"
#include "worker/client/identity.h"
#include "worker/client/origin.h"

static const struct identity_limits limits = { 128, 100 };

static bool
all_in(struct str s, const char *set)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\0' || strchr(set, s.p[i]) == NULL)
			return false;
	return true;
}

#define NAME_SET \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-=@,." \
	";"

/* UTF-8 without U+0000 to U+001F and U+007F to U+009F. */
static bool
is_printable(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	for (unsigned char c = 0x80; c < 0xa0; c++)
		if (memmem(s.p, s.n, (char[]){ '\xc2', (char)c }, 2) != NULL)
			return false;
	return utf8_is_valid(s);
}

static void
check_name(struct str s, size_t max)
{
	unsigned f = channel_flags(s);
	struct event_rule rule;

	assert_true(channel_name_is_valid(s, max) ==
	    (s.n >= 1 && s.n <= max && all_in(s, NAME_SET)));
	assert_true(!(f & CHANNEL_PRESENCE) == !str_starts(s, S("presence-")));
	assert_true(!(f & CHANNEL_PRIVATE) ==
	    !(str_starts(s, S("private-")) || str_starts(s, S("presence-"))));
	assert_true(!(f & CHANNEL_ENCRYPTED) ==
	    !str_starts(s, S("private-encrypted-")));
	if (f & CHANNEL_CACHE)
		assert_true(memmem(s.p, s.n, "cache-", 6) != NULL);
	if ((f & CHANNEL_USER) &&
	    event_rule_channel(&rule, s, (unsigned)max, (unsigned)max) ==
		NULL) {
		struct str id = channel_user_id(s);

		assert_true(f & CHANNEL_USER);
		assert_true(id.n > 0 && id.p + id.n == s.p + s.n);
		assert_false(channel_name_is_valid(s, max));
	}
	assert_true(user_id_is_valid(s, 128) ==
	    (s.n >= 1 && str_characters(s) <= 128 && is_printable(s)));
}

static void
check_socket_id(struct str s)
{
	char text[SOCKET_ID_MAX];
	uint64_t sid = socket_id_parse(s);

	if (sid != 0) {
		assert_true(socket_id_is_valid(s));
		socket_id_text(sid, text);
		assert_true(str_eq(s, str_of(text)));
	}
	if (s.n >= 8) {
		memcpy(&sid, s.p, 8);
		socket_id_text(sid, text);
		assert_true(socket_id_is_valid(str_of(text)));
		assert_true(socket_id_parse(str_of(text)) == sid);
	}
}

static void
check_identity(struct str s, bool user)
{
	struct identity who;
	struct json v;
	const char *why = NULL, *err;
	enum identity_result r = user
	    ? identity_of_user_data(&who, s, limits, &why)
	    : identity_of_channel_data(&who, s, limits, &why);

	if (r == IDENTITY_OK) {
		assert_true(who.id.n >= 1);
		assert_true(utf8_is_valid(who.id));
		assert_true(
		    who.info.n == 0 || json_parse(who.info, &v, &err) == 0);
		if (who.watch != NULL) {
			assert_int_equal(
			    json_parse(buf_str(who.watch), &v, &err), 0);
			assert_int_equal(v.kind, JSON_ARRAY);
		}
	} else if (r == IDENTITY_BAD)
		assert_non_null(why);
	identity_clear(&who);
}

static void
check_auth(struct input *in)
{
	struct sign_key *k = sign_key_new(S("secret"));
	struct auth_app app = { k, S("key") };
	struct str channel = input_str(in), data = input_str(in);
	struct str sid = S("1.2");
	struct str parts[] = { sid, S(":"), channel, S(":"), data };
	unsigned char mac[SIGN_SHA256_LEN];
	char auth[80] = "key:";
	size_t n = data.n == 0 ? 3 : 5;

	if (data.n == 0)
		data.p = NULL;
	assert_true(auth_text(auth_channel(&app, str_make(in->p, in->n), sid,
				  channel, data))
			.p != NULL);
	sign_hmac(k, parts, n, mac);
	str_hex(mac, sizeof(mac), auth + 4);
	assert_int_equal(
	    auth_channel(&app, str_of(auth), sid, channel, data), AUTH_OK);
	auth[4 + input_u8(in) % 64] ^= 1;
	assert_int_not_equal(
	    auth_channel(&app, str_of(auth), sid, channel, data), AUTH_OK);
	sign_key_free(k);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct input in = { p, n };
	uint8_t what = input_u8(&in);
	struct str a;

	switch (what % 6) {
	case 0:
		a.n = input_u8(&in);
		check_name(str_make(in.p, in.n), a.n);
		break;
	case 1:
		check_socket_id(str_make(in.p, in.n));
		break;
	case 2:
		check_identity(str_make(in.p, in.n), false);
		break;
	case 3:
		check_identity(str_make(in.p, in.n), true);
		break;
	case 4:
		a = input_str(&in);
		origin_is_allowed(a, str_make(in.p, in.n));
		assert_true(origin_is_allowed(a, str_make(NULL, 0)));
		break;
	default:
		check_auth(&in);
	}
	return 0;
}
