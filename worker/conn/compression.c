/* SPDX-License-Identifier: MIT */
/*
 * compression.c: what connections agree on about compression, and messages
 * from clients.  Owns struct compression: one inflater for all of them, since
 * the answer to each offer forbids clients to keep a context.
 *
 * Must never hold anything for a single connection.
 */

#include "worker/conn/compression.h"

#include "shared/app/app.h"
#include "shared/base/buf.h"
#include "shared/conf/conf.h"
#include "worker/conn/conn.h"
#include "worker/core/core.h"

#define KEEP_BYTES (64u << 10) /* of the buffer, between two messages */

void
compression_free(struct worker *w)
{
	struct compression *x = w->compression;

	inflater_free(x->inflater);
	buf_unref(x->message);
	*x = (struct compression){ 0 };
}

void
compression_negotiate(
    struct conn *c, const struct http_head *head, struct buf **b)
{
	struct deflate_terms terms;
	size_t i = 0;

	if (!c->w->conf->compression || c->app == NULL || !c->app->compression)
		return;
	while (i < head->nheaders &&
	    (!str_eq_nocase(
		 head->headers[i].name, S("Sec-WebSocket-Extensions")) ||
		!deflate_negotiate(head->headers[i].value, &terms)))
		i++;
	if (i == head->nheaders)
		return;
	c->window_bits = terms.bits;
	c->self_contained = terms.self_contained;
	buf_append(b, S("Sec-WebSocket-Extensions: "));
	deflate_answer(&terms, b);
	buf_append(b, S("\r\n"));
}

enum inflate_result
compression_unpack(struct worker *w, size_t max, struct str *s)
{
	struct compression *x = w->compression;
	enum inflate_result r;

	if (x->inflater == NULL)
		x->inflater = inflater_new();
	if (x->message != NULL && x->message->cap > KEEP_BYTES) {
		buf_unref(x->message);
		x->message = NULL;
	}
	if (x->message != NULL)
		x->message->len = 0;
	r = inflater_run(x->inflater, *s, max, &x->message);
	*s = buf_str(x->message);
	x->unpacked += s->n;
	return r;
}
