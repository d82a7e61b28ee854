/* SPDX-License-Identifier: MIT */
/*
 * Decoders of the internal messages: what one accepts, its encoder writes
 * again byte for byte, and every other length is refused.  Input: the type,
 * then the body; or, from the type 0x80 on, fields for an encoder.
 */

#include "tests/fuzz/fuzz.h"

#include "tests/fuzz/messages.h"

/* clang-format off */
#define MSG(name, NAME, sender) \
static void \
check_##name(struct str body) \
{ \
	struct msg_##name m; \
	char *p; \
	size_t n; \
	if (msg_##name##_get(&m, body) == -1) \
		return; \
	n = msg_##name##_size(&m); \
	assert_int_equal(n, body.n + IPC_HEAD); \
	p = xmalloc(n); \
	msg_##name##_put(p, &m); \
	assert_true(str_eq(str_make(p + IPC_HEAD, body.n), body)); \
	if (body.n > 0) \
		assert_int_equal( \
		    msg_##name##_get(&m, str_make(body.p, body.n - 1)), -1); \
	free(p); \
}
#include "shared/ipc/ipc_msgs.def"
#define MSG(name, NAME, sender) [IPC_##NAME] = check_##name,
static void (*const checks[IPC_NTYPES])(struct str) = {
#include "shared/ipc/ipc_msgs.def"
};
/* clang-format on */

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct input in = { p, n };
	uint8_t first = input_u8(&in);
	uint32_t type = (first & 0x7fu) % IPC_NTYPES;
	struct words words = { 0 };
	struct buf *b = NULL;

	assert_non_null(ipc_name(first));
	if (checks[type] == NULL) {
		assert_int_equal(type, IPC_NONE);
		return 0;
	}
	if (first < 0x80) {
		checks[type](str_make(in.p, in.n));
		return 0;
	}
	message_makers[type](&in, &words, &b);
	checks[type](str_from(buf_str(b), IPC_HEAD));
	buf_unref(b);
	return 0;
}
