/* SPDX-License-Identifier: MIT */
/*
 * reload.c: another configuration while the server runs.  Everything that can
 * fail is tried first: the text, the addresses, the log file.  Then the
 * children are told over their links; later ones inherit it.  With fewer
 * workers the highest slots get no new clients, and leave (retire.c).  A
 * removed listener is closed when all workers have confirmed that they do not
 * accept there any more.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/master/certs.h"
#include "cli/master/files.h"
#include "cli/master/listen.h"
#include "cli/master/notify.h"
#include "cli/master/start.h"
#include "cli/master/state.h"
#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "shared/base/clock.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/conf/conf_change.h"
#include "shared/ipc/fdpass.h"
#include "shared/ipc/ipc_msg.h"
#include "shared/ipc/master_link.h"
#include "shared/json/json_write.h"

#define REPLACE_MS 300 /* for an answer to leave through the old broker */

/* The new configuration and its parts, not yet in force. */
struct change {
	struct conf conf;
	struct listen_set listen;
	struct certs_loaded certs;
	int log_fd;  /* or -1 */
	char *notes; /* needs a restart; or NULL */
};

/* ---- telling children ---- */

static int
tell_conf(struct master *m, struct child *c)
{
	const struct listen_set *l = m->start->listen;
	uint32_t ids[FDPASS_FDS];
	int fds[FDPASS_FDS];
	struct msg_reconf r = { .id = m->reload.order };
	struct buf *text = NULL, *b;
	size_t nfds = 0;
	int done;

	if (c->role == CHILD_WORKER) {
		listen_slot(l, c->slot, fds, ids);
		nfds = l->n;
	}
	conf_dump(m->start->conf, &text);
	r.conf = buf_str(text);
	r.listeners = str_make(ids, nfds * sizeof(ids[0]));
	b = buf_new(msg_reconf_size(&r));
	msg_reconf_put(b->data, &r);
	done = child_tell(c, b->data, msg_reconf_size(&r), fds, nfds);
	if (done == 0)
		c->owes = m->reload.order;
	buf_unref(b);
	buf_unref(text);
	return done;
}

static int
tell_log(struct master *m, struct child *c)
{
	const struct log_target *p = &m->start->log;
	struct msg_logging l = { .id = ++m->last_order,
		.level = (uint32_t)p->level,
		.format = (uint32_t)p->format,
		.to_syslog = p->to_syslog };
	const int fd = STDERR_FILENO;
	char bytes[64];

	msg_logging_put(bytes, &l);
	return child_tell(c, bytes, msg_logging_size(&l), &fd, 1);
}

void
reload_tell_conf(struct master *m)
{
	for (size_t i = 0; i < m->nchildren; i++) {
		struct child *c = &m->children[i];

		if (c->pid == 0)
			continue;
		c->tell_conf = true;
		c->owes = m->reload.order;
	}
	reload_resend(m);
}

void
reload_tell_log(struct master *m)
{
	for (size_t i = 0; i < m->nchildren; i++)
		if (m->children[i].pid != 0)
			m->children[i].tell_log = true;
	reload_resend(m);
}

void
reload_resend(struct master *m)
{
	for (size_t i = 0; i < m->nchildren; i++) {
		struct child *c = &m->children[i];

		if (c->pid == 0)
			continue;
		if (c->tell_conf && tell_conf(m, c) == 0)
			c->tell_conf = false;
		if (c->tell_log && tell_log(m, c) == 0)
			c->tell_log = false;
	}
}

/* ---- the end of a reload ---- */

static void
say(struct master *m, const struct reload_requests *a, unsigned code,
    struct str text)
{
	for (size_t i = 0; i < a->n; i++)
		request_reply(m, a->v[i], code, text);
}

void
reload_say_done(struct master *m, const struct reload_requests *a,
    const struct retire *retired)
{
	unsigned n = m->start->conf->nworkers;
	struct json_writer w;
	struct buf *b;

	json_writer_init(&w);
	json_object_open(&w);
	json_member_u64(&w, "ms", child_now_ms() - a->began_ms);
	json_member_u64(&w, "workers", n);
	json_member_u64(&w, "moved", retired == NULL ? 0 : retired->moved);
	json_member_u64(
	    &w, "tls_lingers", retired == NULL ? 0 : retired->lingering);
	json_member_u64(&w, "closed", retired == NULL ? 0 : retired->closed);
	json_member_u64(&w, "leaving", master_alive(m, FIRST_WORKER + n));
	json_key(&w, "needs_restart");
	if (a->notes == NULL)
		json_put_null(&w);
	else
		json_put_str(&w, str_of(a->notes));
	json_object_close(&w);
	b = json_writer_take(&w);
	say(m, a, 0, buf_str(b));
	buf_unref(b);
}

void
reload_forget_requests(struct reload_requests *a)
{
	free(a->notes);
	*a = (struct reload_requests){ 0 };
}

static void begin(struct master *, struct str set);

static void
end(struct master *m)
{
	struct reload *r = &m->reload, was = *r;
	struct reload_requests *a = &r->requests;
	char *failed = request_failures(m), *text;

	if (failed != NULL) {
		log_warnx("reload: incomplete: %s", failed);
		text =
		    xasprintf("the configuration is in force, but %s", failed);
		say(m, a, 1, str_of(text));
		a->n = 0;
		free(text);
	}
	free(failed);
	log_info("reload: done in %llu ms%s%s",
	    (unsigned long long)(child_now_ms() - a->began_ms),
	    a->notes == NULL ? "" : "; needs a restart: ",
	    a->notes == NULL ? "" : a->notes);
	if (!retire_answers(m, a))
		reload_say_done(m, a, NULL);
	reload_forget_requests(a);
	*r = (struct reload){ .order = r->order };
	notify("READY=1");
	/* All that asked meanwhile get the answer of one more reload. */
	memcpy(a->v, was.waiting, sizeof(a->v));
	a->n = was.nwaiting;
	if (was.again || was.nwaiting > 0)
		begin(m, S(""));
}

static void
refuse(struct master *m, char *why)
{
	log_warnx("reload: nothing has changed: %s", why);
	say(m, &m->reload.requests, 1, str_of(why));
	m->reload.requests.n = 0;
	free(why);
	notify("READY=1");
}

/* ---- the parts of a change, which may fail ---- */

/* The number of workers that there can be now. */
static int
check_workers(struct master *m, struct change *ch, char **why)
{
	unsigned now = m->start->conf->nworkers, n = ch->conf.nworkers;
	char *notes;
	size_t i;

	for (i = FIRST_WORKER; n > now && i < m->nchildren; i++) {
		if (!m->children[i].retiring)
			continue;
		*why = xasprintf("%s: workers is %u, but worker %u is still "
				 "leaving: try again when it has left",
		    conf_origin(&ch->conf, "workers"), n, m->children[i].slot);
		return -1;
	}
	if (n < now && !m->steered) {
		ch->conf.nworkers = now;
		notes = xasprintf("%s%sworkers (fewer, on this kernel)",
		    ch->notes == NULL ? "" : ch->notes,
		    ch->notes == NULL ? "" : ", ");
		free(ch->notes);
		ch->notes = notes;
	}
	return 0;
}

static int
check_size(const struct conf *conf, char **why)
{
	struct buf *b = NULL;
	size_t n;

	conf_dump(conf, &b);
	n = b->len;
	buf_unref(b);
	if (n + 4096 <= FDPASS_BYTES)
		return 0;
	*why = xasprintf("the configuration is too large: %zu bytes of at most "
			 "%u",
	    n, FDPASS_BYTES - 4096);
	return -1;
}

/* From the sources; with NAME=VALUE, the one in force with this value. */
static int
load(
    const struct master_start *s, struct change *ch, struct str set, char **why)
{
	const struct source *from = &s->source;
	struct str name;

	if (set.n > 0) {
		name = str_cut(&set, '=');
		return conf_load_changed(&ch->conf, s->conf, name, set, why);
	}
	if (conf_load_again(&ch->conf, from->base, from->file, from->arguments,
		from->narguments, why) == -1)
		return -1;
	ch->notes = conf_keep(&ch->conf, s->conf);
	return 0;
}

static int
prepare(struct master *m, struct change *ch, struct str set, char **why)
{
	const struct master_start *s = m->start;

	if (load(s, ch, set, why) == -1)
		return -1;
	if (check_workers(m, ch, why) == 0 && check_size(&ch->conf, why) == 0 &&
	    files_check_apart(&ch->conf, why) == 0 &&
	    files_check_read(&ch->conf, why) == 0 &&
	    certs_load(&ch->certs, &ch->conf, why) == 0 &&
	    log_target_open(&s->log, &ch->conf, &ch->log_fd, why) == 0) {
		if (listen_prepare(&ch->listen, s->listen, &ch->conf, why) == 0)
			return 0;
		if (ch->log_fd != -1)
			close(ch->log_fd);
	}
	certs_forget(&ch->certs);
	conf_clear(&ch->conf);
	free(ch->notes);
	return -1;
}

/* ---- and those that may not ---- */

static void
add_workers(struct master *m)
{
	struct child *broker = &m->children[0];
	unsigned n = m->start->conf->nworkers;

	/* Clients do not notice another broker. */
	if (broker->pid != 0 && broker->room < n) {
		reload_say_done(m, &m->reload.requests, NULL);
		m->reload.requests.n = 0;
		m->reload.replace_ms = child_now_ms() + REPLACE_MS;
	}
	while (m->nchildren < n + FIRST_WORKER) {
		master_add_child(m, m->nchildren);
		if (m->reload.replace_ms != 0)
			m->children[m->nchildren].respawn_ms =
			    m->reload.replace_ms + REPLACE_MS;
		m->nchildren++;
	}
}

static void
commit(struct master *m, struct change *ch)
{
	struct master_start *s = m->start;
	unsigned before = s->conf->nworkers;
	char *why;

	conf_replace(s->conf, &ch->conf);
	listen_take(s->listen, &ch->listen);
	/* Before listeners with TLS: a worker checks both. */
	certs_publish(s->certs, &ch->certs, s->conf);
	certs_forget(&ch->certs);
	log_target_use(&s->log, s->conf, ch->log_fd);
	if (listen_write(s->listen, s->listen_path, &why) == -1) {
		log_warnx("%s", why);
		free(why);
	}
	m->steered = listen_steer(s->listen, MIN(before, s->conf->nworkers));
	m->reload.order = ++m->last_order;
	reload_tell_conf(m);
	reload_tell_log(m);
	if (s->conf->nworkers > before)
		add_workers(m);
	else
		retire_begin(m);
}

static void
begin(struct master *m, struct str set)
{
	struct reload *r = &m->reload;
	struct change ch = { .log_fd = -1 };
	char *why, text[80];

	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%llu",
	    (unsigned long long)clock_us(CLOCK_MONOTONIC));
	notify(text);
	if (set.n > 0)
		log_info("reload: pusherctl sets %.*s", STR_ARG(set));
	else
		log_info("reload: reading the configuration");
	r->requests.began_ms = child_now_ms();
	if (prepare(m, &ch, set, &why) == -1) {
		refuse(m, why);
		return;
	}
	r->active = true;
	r->requests.notes = ch.notes;
	r->deadline_ms = r->requests.began_ms + CONFIRM_MS;
	commit(m, &ch);
}

void
reload_begin(struct master *m, uint64_t request)
{
	struct reload *r = &m->reload;

	if (m->phase != PHASE_RUN) {
		if (request != 0)
			request_reply(m, request, 1,
			    S("pusherd is starting or stopping"));
		else
			r->again = true; /* after the start */
	} else if (!r->active) {
		if (request != 0)
			r->requests.v[r->requests.n++] = request;
		begin(m, S(""));
	} else if (request == 0) {
		r->again = true;
	} else if (r->nwaiting < RELOAD_REQUESTS) {
		r->waiting[r->nwaiting++] = request;
	} else {
		request_reply(m, request, 1, S("too many reloads at once"));
	}
}

void
reload_set(struct master *m, const struct msg_master_request *ask)
{
	struct reload *r = &m->reload;

	if (m->phase != PHASE_RUN || r->active) {
		request_reply(m, ask->id, 1,
		    m->phase != PHASE_RUN
			? S("pusherd is starting or stopping")
			: S("the configuration is being changed: try again in "
			    "a moment"));
		return;
	}
	r->requests.v[r->requests.n++] = ask->id;
	begin(m, ask->arg);
}

/* ---- while it is under way ---- */

static bool
all_are_done(const struct master *m)
{
	for (size_t i = 0; i < m->nchildren; i++)
		if (child_is_late(&m->children[i]))
			return false;
	return true;
}

/* Places at the end that are not filled again. */
static void
forget_retired(struct master *m)
{
	while (m->nchildren > FIRST_WORKER &&
	    m->children[m->nchildren - 1].retiring &&
	    m->children[m->nchildren - 1].pid == 0)
		m->nchildren--;
}

void
reload_check(struct master *m, uint64_t now)
{
	struct reload *r = &m->reload;

	forget_retired(m);
	if (!r->active)
		return;
	if (r->replace_ms != 0 && now >= r->replace_ms) {
		r->replace_ms = 0;
		child_replace(&m->children[0]);
	}
	if (r->replace_ms != 0 || (!all_are_done(m) && now < r->deadline_ms))
		return;
	listen_steer(m->start->listen, m->start->conf->nworkers);
	listen_forget_gone(m->start->listen);
	end(m);
}

uint64_t
reload_due(const struct master *m)
{
	const struct reload *r = &m->reload;

	if (!r->active)
		return UINT64_MAX;
	return r->replace_ms != 0 ? r->replace_ms : r->deadline_ms;
}

void
reload_on_done(
    struct master *m, struct child *c, uint64_t order, struct str failed)
{
	if (c->owes != order)
		return;
	c->owes = 0;
	free(c->failed);
	c->failed = failed.n == 0 ? NULL : xstrndup(failed.p, failed.n);
}
