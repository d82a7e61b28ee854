/* SPDX-License-Identifier: MIT */
/*
 * ipc_msg.c: encoders, decoders, names and directions of the internal messages,
 * all made by the preprocessor from ipc_msgs.def.  Nothing here knows what a
 * message means.  A decoder requires an exact fit: a body that is longer or
 * shorter than its fields is refused, because its sender may have been
 * compromised.
 */

#include "shared/ipc/ipc_msg.h"

#include "shared/base/base.h"

static char *
put_bytes(char *p, const void *v, size_t n)
{
	if (n != 0)
		memcpy(p, v, n);
	return p + n;
}

static char *
put_u8(char *p, uint8_t v)
{
	return put_bytes(p, &v, sizeof(v));
}

static char *
put_u32(char *p, uint32_t v)
{
	return put_bytes(p, &v, sizeof(v));
}

static char *
put_u64(char *p, uint64_t v)
{
	return put_bytes(p, &v, sizeof(v));
}

static char *
put_str(char *p, struct str v)
{
	return put_bytes(put_u32(p, (uint32_t)v.n), v.p, v.n);
}

/* Takes n bytes off the front of *in; false when there are fewer. */
static bool
get_bytes(struct str *in, void *v, size_t n)
{
	if (in->n < n)
		return false;
	memcpy(v, in->p, n);
	*in = str_from(*in, n);
	return true;
}

static bool
get_str(struct str *in, struct str *v)
{
	uint32_t n;

	if (!get_bytes(in, &n, sizeof(n)) || in->n < n)
		return false;
	*v = str_make(in->p, n);
	*in = str_from(*in, n);
	return true;
}

static uint32_t
u32_at(struct str in, size_t at)
{
	uint32_t v = 0;

	in = str_from(in, MIN(at, in.n));
	return get_bytes(&in, &v, sizeof(v)) ? v : 0;
}

/* clang-format off */
#define MSG(name, NAME, sender) \
size_t \
msg_##name##_size(const struct msg_##name *m) \
{ \
	size_t n = IPC_HEAD;
#define U8(f) n += 1;
#define U32(f) n += 4;
#define U64(f) n += 8;
#define STR(f) n += 4 + m->f.n;
#define END(name) return n; }
#include "shared/ipc/ipc_msgs.def"

#define MSG(name, NAME, sender) \
void \
msg_##name##_put(char *p, const struct msg_##name *m) \
{ \
	p = put_u32(p, (uint32_t)(msg_##name##_size(m) - 4)); \
	p = put_u32(p, IPC_##NAME);
#define U8(f) p = put_u8(p, m->f);
#define U32(f) p = put_u32(p, m->f);
#define U64(f) p = put_u64(p, m->f);
#define STR(f) p = put_str(p, m->f);
#define END(name) (void)p; }
#include "shared/ipc/ipc_msgs.def"

#define MSG(name, NAME, sender) \
int \
msg_##name##_get(struct msg_##name *m, struct str in) \
{ \
	m->end_ = 0;
#define FIELD(f) if (!get_bytes(&in, &m->f, sizeof(m->f))) return -1;
#define U8(f) FIELD(f)
#define U32(f) FIELD(f)
#define U64(f) FIELD(f)
#define STR(f) if (!get_str(&in, &m->f)) return -1;
#define END(name) return in.n == 0 ? 0 : -1; }
#include "shared/ipc/ipc_msgs.def"
#undef FIELD

#define MSG(name, NAME, sender) \
static uint32_t \
app_of_##name(struct str in) \
{ \
	size_t at = 0;
#define U8(f) at += 1;
#define U32(f) if (strcmp(#f, "app") == 0) return u32_at(in, at); at += 4;
#define U64(f) at += 8;
#define STR(f)
#define END(name) (void)at; (void)in; return 0; }
#include "shared/ipc/ipc_msgs.def"
/* clang-format on */

static const struct {
	const char *name;
	enum ipc_sender sender;
	uint32_t (*app)(struct str body);
} types[IPC_NTYPES] = {
#define MSG(name, NAME, sender) [IPC_##NAME] = { #NAME, sender, app_of_##name },
#include "shared/ipc/ipc_msgs.def"
};

uint32_t
ipc_app(uint32_t type, struct str body)
{
	return types[type].app(body);
}

const char *
ipc_name(uint32_t type)
{
	return type > IPC_NONE && type < IPC_NTYPES ? types[type].name : "?";
}

bool
ipc_may_send(uint32_t type, enum ipc_sender who)
{
	return type > IPC_NONE && type < IPC_NTYPES &&
	    (types[type].sender & who) != 0;
}

/* The words before it find it in the program file. */
const char *
ipc_state_version(void)
{
	static const char text[] =
	    "state version " TEXT_OF(IPC_VERSION) "." TEXT_OF(STATE_VERSION);

	return text + strlen("state version ");
}
