/* SPDX-License-Identifier: MIT */
#ifndef TESTS_FUZZ_MESSAGES_H
#define TESTS_FUZZ_MESSAGES_H

/*
 * Internal messages of any type out of the input, made by the preprocessor
 * from the same lists as the code under test.  Numbers and texts are often
 * those that the other end knows (struct words).  Include it behind fuzz.h.
 */

#include "shared/base/buf.h"
#include "shared/ipc/ipc_msg.h"

struct words {
	const uint64_t *u64;
	size_t nu64;
	const struct str *str;
	size_t nstr;
};

/* A small number, a known one, or any. */
static inline uint64_t
message_u64(struct input *in, const struct words *w)
{
	uint64_t v = input_number(in);

	if (v >= 0xd0 && v < 0xf0 && w->nu64 > 0)
		return w->u64[(v - 0xd0) % w->nu64];
	return v;
}

static inline struct str
message_str(struct input *in, const struct words *w)
{
	uint8_t n;

	if (in->n == 0)
		return S("");
	n = *in->p;
	if (n >= 0xc0 && n < 0xff && w->nstr > 0) {
		input_u8(in);
		return w->str[(n - 0xc0u) % w->nstr];
	}
	return input_str(in);
}

/* clang-format off */
#define MSG(name, NAME, sender) \
static inline void \
message_make_##name(struct input *in, const struct words *w, struct buf **b) \
{ \
	struct msg_##name m; \
	memset(&m, 0, sizeof(m));
#define U8(f) m.f = input_u8(in);
#define U32(f) m.f = (uint32_t)message_u64(in, w);
#define U64(f) m.f = message_u64(in, w);
#define STR(f) m.f = message_str(in, w);
#define END(name) \
	msg_##name##_put(buf_reserve(b, msg_##name##_size(&m)), &m); \
	(*b)->len += (uint32_t)msg_##name##_size(&m); \
}
#include "shared/ipc/ipc_msgs.def"
/* clang-format on */

static void (*const message_makers[IPC_NTYPES])(
    struct input *, const struct words *, struct buf **) = {
#define MSG(name, NAME, sender) [IPC_##NAME] = message_make_##name,
#include "shared/ipc/ipc_msgs.def"
};

/*
 * Appends one message: with the right fields, or now and then any bytes.
 * `who`: only types that they may send; types[] has room for IPC_NTYPES.
 */
static inline void
message_make(struct input *in, enum ipc_sender who, const struct words *w,
    struct buf **b)
{
	uint32_t types[IPC_NTYPES], n = 0, type;
	uint8_t kind = input_u8(in);
	struct str s;

	for (type = 1; type < IPC_NTYPES; type++)
		if (ipc_may_send(type, who))
			types[n++] = type;
	if (kind < 0xf0) {
		message_makers[types[kind % n]](in, w, b);
		return;
	}
	type = kind < 0xf8 ? types[input_u8(in) % n] : input_u8(in);
	s = input_str(in);
	n = (uint32_t)s.n + 4;
	if (kind == 0xff)
		n = (uint32_t)input_number(in);
	buf_append(b, str_make(&n, 4));
	buf_append(b, str_make(&type, 4));
	buf_append(b, s);
}

#endif
