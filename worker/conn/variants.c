/* SPDX-License-Identifier: MIT */
/*
 * variants.c: the forms of an event, and for each channel the last event that
 * was compressed (struct context), which is the dictionary of the next one.
 * Contexts are bounded together; the one that was used least recently is
 * dropped first, and its channel's next event is compressed alone.  Must never
 * change the assumed content of a connection's window unless a compressed
 * message has been queued for it.
 */

#include "worker/conn/variants.h"

#include <stdlib.h>

#include "shared/app/app.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/net/ws_frame.h"
#include "shared/pusher/channel_name.h"
#include "worker/app/stats.h"
#include "worker/conn/compression.h"
#include "worker/conn/conn.h"
#include "worker/core/core.h"

#define CONTEXTS_MAX (16u << 20) /* bytes, of all channels */
#define NOISE_BYTES 16           /* bytes by which a form may exceed plain */

struct context {
	struct list link; /* in compression.contexts */
	struct context **owner;
	uint64_t id; /* of the message */
	size_t len;
	char bytes[]; /* of it, the end */
};

/* ---- contexts ---- */

void
context_free(struct worker *w, struct context *x)
{
	if (x == NULL)
		return;
	*x->owner = NULL;
	list_remove(&x->link);
	w->compression->context_bytes -= sizeof(*x) + x->len;
	free(x);
}

void
contexts_clear(struct worker *w)
{
	struct list *all = &w->compression->contexts;

	while (!list_is_empty(all))
		context_free(w, LIST_ITEM(all->next, struct context, link));
}

/* The channel's next event builds on the message. */
static void
context_set(struct worker *w, struct context **owner, uint64_t id, struct str s)
{
	struct compression *all = w->compression;
	struct context *x;

	if (s.n > DEFLATE_WINDOW)
		s = str_from(s, s.n - DEFLATE_WINDOW);
	context_free(w, *owner);
	x = *owner = xmalloc(sizeof(*x) + s.n);
	x->owner = owner;
	x->id = id;
	x->len = s.n;
	memcpy(x->bytes, s.p, s.n);
	list_init(&x->link);
	list_append(&all->contexts, &x->link);
	all->context_bytes += sizeof(*x) + s.n;
	while (all->context_bytes > CONTEXTS_MAX)
		context_free(
		    w, LIST_ITEM(all->contexts.next, struct context, link));
}

/* ---- an event ---- */

bool
variants_begin(
    struct variants *v, const struct app *app, uint32_t n, struct str channel)
{
	const struct conf *conf = v->w->conf;
	struct ws_head h;
	ssize_t head = ws_head_read(&h, v->frame);

	if (!conf->compression || !app->compression || head <= 0 ||
	    h.opcode != WS_TEXT || h.len != v->frame.n - (size_t)head ||
	    h.len < conf->compression_min_bytes ||
	    (n == 1 && h.len < conf->compression_alone_bytes) ||
	    (channel_flags(channel) & CHANNEL_ENCRYPTED))
		return false;
	v->payload = str_from(v->frame, (size_t)head);
	v->id = ++v->w->compression->last_id;
	return true;
}

static void
make(struct variants *v, enum variant which)
{
	const struct context *x = *v->context;
	struct form *f = &v->forms[which];
	struct str bytes = v->frame;
	struct slice s;

	if (which != VARIANT_PLAIN)
		bytes = compression_pack(v->w,
		    which == VARIANT_NEXT ? str_make(x->bytes, x->len) : S(""),
		    v->frame, v->payload);
	f->noise = bytes.n > v->frame.n + NOISE_BYTES;
	if (f->noise)
		return;
	s = worker_arena(&v->w->events, bytes);
	f->b = buf_ref(s.b);
	f->off = s.off;
	f->len = s.len;
}

/*
 * A window that is smaller than the deflater's reads a message that fits into
 * it as a whole.
 */
static enum variant
choose(const struct variants *v, const struct conn *c)
{
	const struct context *x = *v->context;
	size_t window = c->deflate.bits == DEFLATE_BITS_MAX
	    ? SIZE_MAX
	    : (size_t)1 << c->deflate.bits;

	if (c->deflate.bits == 0 || v->payload.n > window)
		return VARIANT_PLAIN;
	if (x == NULL || c->packed_id != x->id || c->deflate.self_contained ||
	    v->payload.n + x->len > window)
		return VARIANT_ALONE;
	return VARIANT_NEXT;
}

static struct form *
form_of(struct variants *v, enum variant which)
{
	struct form *f = &v->forms[which];

	if (f->b == NULL && !f->noise)
		make(v, which);
	return f;
}

void
variants_queue(struct variants *v, struct conn *c)
{
	enum variant which = choose(v, c);
	struct form *f = form_of(v, which);

	if (f->noise)
		f = form_of(v, which = VARIANT_PLAIN);
	conn_queue(c, f->b, f->off, f->len);
	if (which == VARIANT_PLAIN)
		return;
	c->packed_id = v->id;
	c->saved += (int64_t)v->frame.n - f->len;
	v->raw += v->frame.n;
	v->sent += f->len;
}

void
variants_end(struct variants *v, struct app *app)
{
	struct stats_app *a = stats_of(app);

	a->packed_raw += v->raw;
	a->packed_sent += v->sent;
	if (v->raw > 0)
		context_set(v->w, v->context, v->id, v->payload);
	for (unsigned i = 0; i < VARIANTS; i++)
		buf_unref(v->forms[i].b);
}
