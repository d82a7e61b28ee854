/* SPDX-License-Identifier: MIT */
/*
 * handover.c: writes down the state of a master and reads it back, in the
 * program that takes its place or that tries whether it could.  The layout is
 * that of the structs in handover.h.  A change of one of them, or of the layout
 * of the memory that the processes share, needs another STATE_VERSION.
 *
 * The reader believes the bytes once their head says that they are of this
 * version: they come from the program before it and through no file.
 */

#include "cli/master/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/master/listen.h"
#include "cli/master/start.h"
#include "cli/master/state.h"
#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/conf/conf_change.h"
#include "shared/ipc/ipc_msg.h"

#define MAGIC "pusherd handover"
#define HANDOVER_MAX (8u << 20)
#define ALIGN 8 /* of everything but the texts, which come last */

/* Never changes: another version has to read it. */
struct head {
	char magic[16]; /* MAGIC, without its NUL */
	char state[32]; /* ipc_state_version() */
	char version[32];
	uint64_t bytes; /* of all */
};

/* ---- writing ---- */

static void
put(struct buf **b, const void *p, size_t n)
{
	static const char zero[ALIGN];

	buf_append(b, str_make(p, n));
	buf_append(b, str_make(zero, (ALIGN - n % ALIGN) % ALIGN));
}

static void
put_child(struct buf **b, const struct child *c)
{
	struct handover_child out;

	memset(&out, 0, sizeof(out));
#define COPY(type, name) out.name = c->name;
	HANDOVER_CHILD(COPY)
#undef COPY
	put(b, &out, sizeof(out));
}

static void
put_place(struct buf **b, const struct listener_place *p)
{
	struct handover_place out;

	memset(&out, 0, sizeof(out));
	out.wanted = p->wanted;
	out.addr = p->addr;
	out.id = p->id;
	out.mode = p->mode;
	out.role = p->role;
	out.nfds = p->nfds;
	out.is_metrics = strcmp(p->option, "listen") != 0;
	out.shared = p->shared;
	out.foreign = p->foreign;
	memcpy(out.fds, p->fds, sizeof(out.fds));
	put(b, &out, sizeof(out));
}

static void
put_all(struct buf **b, const struct master *m)
{
	const struct master_start *s = m->start;
	const struct upgrade *u = &m->upgrade;
	const char *text[] = { NULL, s->source.base, u->path, s->program,
		u->reason };
	struct buf *texts = NULL;
	struct handover_body out;
	const struct shm_area *areas;
	size_t nareas;

	areas = shm_areas(&nareas);
	memset(&out, 0, sizeof(out));
	conf_dump(s->conf, &texts);
	out.text_bytes[TEXT_CONF] = texts->len;
	for (size_t i = TEXT_CONF + 1; i < HANDOVER_TEXTS; i++) {
		struct str t = str_of(text[i] == NULL ? "" : text[i]);

		out.text_bytes[i] = (uint32_t)t.n;
		buf_append(&texts, t);
	}
	out.lock_fd = s->lock_fd;
	out.pid_fd = s->pid_fd;
	out.broker_fd = s->broker_fd;
	out.control_fd = s->control_fd;
	out.stderr_fd = s->log.stderr_fd;
	out.life[0] = m->life[0];
	out.life[1] = m->life[1];
	out.back_fd = u->back_fd;
	out.is_back = u->is_back;
	out.foreground = s->log.foreground;
	out.steered = m->steered;
	out.hidden = !s->conf->core_dumps;
	out.listen_last_id = s->listen->last_id;
	out.last_order = m->last_order;
	out.request = u->request;
	out.began_ms = u->began_ms;
	out.nchildren = (uint32_t)m->nchildren;
	out.nplaces = (uint32_t)s->listen->n;
	out.nareas = (uint32_t)nareas;
	out.nlingering = (uint32_t)m->nlingering;
	put(b, &out, sizeof(out));
	for (size_t i = 0; i < m->nchildren; i++)
		put_child(b, &m->children[i]);
	for (size_t i = 0; i < s->listen->n; i++)
		put_place(b, s->listen->v[i]);
	put(b, areas, nareas * sizeof(*areas));
	for (size_t i = 0; i < m->nlingering; i++)
		put(b,
		    &(struct handover_lingering){
			m->lingering[i].pid, m->lingering[i].until_ms },
		    sizeof(struct handover_lingering));
	buf_append(b, buf_str(texts));
	buf_unref(texts);
}

int
handover_write(const struct master *m)
{
	int fd = memfd_create("handover", MFD_CLOEXEC), saved;
	struct buf *b = NULL;
	struct head h;

	if (fd == -1)
		return -1;
	memset(&h, 0, sizeof(h));
	memcpy(h.magic, MAGIC, sizeof(h.magic));
	snprintf(h.state, sizeof(h.state), "%s", ipc_state_version());
	snprintf(h.version, sizeof(h.version), "%s", PUSHERD_VERSION);
	put(&b, &h, sizeof(h));
	put_all(&b, m);
	h.bytes = b->len;
	memcpy(b->data, &h, sizeof(h));
	errno = ENOSPC; /* of a write that is short */
	if (write(fd, b->data, b->len) != (ssize_t)b->len) {
		saved = errno;
		close(fd);
		errno = saved;
		fd = -1;
	}
	buf_unref(b);
	return fd;
}

/* ---- reading ---- */

/* The next n bytes, or NULL. */
static const void *
get(struct str *rest, uint64_t n)
{
	const void *p = rest->p;
	uint64_t all = (n + ALIGN - 1) / ALIGN * ALIGN;

	if (all > rest->n)
		return NULL;
	*rest = str_from(*rest, all);
	return p;
}

static int
cut(struct handover *h, struct str rest)
{
	const struct handover_body *b = get(&rest, sizeof(*b));

	if (b == NULL || b->nchildren > PROC_MAX_WORKERS + FIRST_WORKER ||
	    b->nlingering > LINGERING_MAX)
		return -1;
	h->body = b;
	h->children = get(&rest, b->nchildren * sizeof(*h->children));
	h->places = get(&rest, (uint64_t)b->nplaces * sizeof(*h->places));
	h->areas = get(&rest, (uint64_t)b->nareas * sizeof(*h->areas));
	h->lingering = get(&rest, b->nlingering * sizeof(*h->lingering));
	if (h->children == NULL || h->places == NULL || h->areas == NULL ||
	    h->lingering == NULL)
		return -1;
	for (size_t i = 0; i < HANDOVER_TEXTS; i++) {
		if (b->text_bytes[i] > rest.n)
			return -1;
		h->text[i] = str_make(rest.p, b->text_bytes[i]);
		rest = str_from(rest, b->text_bytes[i]);
	}
	return 0;
}

/* As malloc(3) aligns them; free(3) them; NULL: none, or too few. */
static char *
read_all(int fd, size_t *n)
{
	struct stat st;
	char *b;

	if (fstat(fd, &st) == -1 || st.st_size < (off_t)sizeof(struct head) ||
	    st.st_size > (off_t)HANDOVER_MAX)
		return NULL;
	*n = (size_t)st.st_size;
	b = xmalloc(*n);
	if (pread(fd, b, *n, 0) == st.st_size)
		return b;
	free(b);
	return NULL;
}

int
handover_read(struct handover *h, int fd, char **why)
{
	struct head head = { .bytes = 0 };
	size_t n = 0;

	memset(h, 0, sizeof(*h));
	h->bytes = read_all(fd, &n);
	if (h->bytes != NULL)
		memcpy(&head, h->bytes, sizeof(head));
	if (h->bytes == NULL || head.bytes != n ||
	    memcmp(head.magic, MAGIC, sizeof(head.magic)) != 0) {
		*why = xasprintf("descriptor %d has no state of a pusherd that "
				 "runs: `pusherctl upgrade` passes it",
		    fd);
		handover_free(h);
		return -1;
	}
	head.state[sizeof(head.state) - 1] = '\0';
	head.version[sizeof(head.version) - 1] = '\0';
	if (strcmp(head.state, ipc_state_version()) != 0) {
		*why = xasprintf(
		    "version %s has state version %s, and the running version "
		    "%s has %s: they cannot take over from each other: restart "
		    "pusherd",
		    PUSHERD_VERSION, ipc_state_version(), head.version,
		    head.state);
		handover_free(h);
		return -1;
	}
	h->version = str_make(
	    h->bytes + offsetof(struct head, version), strlen(head.version));
	if (cut(h, str_from(str_make(h->bytes, n), sizeof(head))) == 0)
		return 0;
	*why = xasprintf("the state of the running pusherd is damaged");
	handover_free(h);
	return -1;
}

void
handover_free(struct handover *h)
{
	free(h->bytes);
	memset(h, 0, sizeof(*h));
}

/* ---- descriptors ---- */

static int
keep_one(int fd, bool keep)
{
	return fd == -1 ? 0 : fcntl(fd, F_SETFD, keep ? 0 : FD_CLOEXEC);
}

int
handover_keep(const struct handover *h, bool keep)
{
	const struct handover_body *b = h->body;
	int r = keep_one(b->lock_fd, keep) | keep_one(b->pid_fd, keep) |
	    keep_one(b->broker_fd, keep) | keep_one(b->control_fd, keep) |
	    keep_one(b->stderr_fd, keep) | keep_one(b->life[0], keep) |
	    keep_one(b->life[1], keep) | keep_one(b->back_fd, keep);

	for (size_t i = 0; i < b->nchildren; i++)
		r |= keep_one(h->children[i].ready_fd, keep) |
		    keep_one(h->children[i].link_fd, keep);
	for (size_t i = 0; i < b->nplaces; i++)
		for (size_t k = 0; k < h->places[i].nfds; k++)
			r |= keep_one(h->places[i].fds[k], keep);
	for (size_t i = 0; i < b->nareas; i++)
		r |= keep_one(h->areas[i].fd, keep);
	return r;
}
