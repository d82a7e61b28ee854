/* SPDX-License-Identifier: MIT */
/*
 * takeover.c: what a program does first that has taken the place of a running
 * master: it makes of the bytes that were left what the start makes of files
 * and addresses (pusherd.c).  The trial does the same and lets go of it.
 *
 * Must not fail where the trial did not: there is no way back.
 */

#include "cli/master/takeover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/master/certs.h"
#include "cli/master/first_app.h"
#include "cli/master/handover.h"
#include "cli/master/listen.h"
#include "cli/master/rundir.h"
#include "cli/master/start.h"
#include "shared/app/appdb.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/conf/conf_change.h"
#include "shared/proc/proc.h"

char *
takeover_text(const struct handover *h, unsigned i)
{
	return h->text[i].n == 0 ? NULL : xstrndup(h->text[i].p, h->text[i].n);
}

int
takeover_read(struct handover *h, int fd, struct conf *conf,
    struct master_start *start, char **why)
{
	const struct handover_body *b;

	if (handover_read(h, fd, why) == -1)
		return -1;
	b = h->body;
	if (b->hidden)
		proc_hide_memory();
	close(fd);
	if (handover_keep(h, false) == -1) {
		*why = xasprintf("a descriptor of the running pusherd is not "
				 "open: %s",
		    strerror(errno));
		return -1;
	}
	if (conf_load_dump(conf, h->text[TEXT_CONF], why) == -1)
		return -1;
	for (size_t i = 0; i < b->nareas; i++)
		shm_inherit(&h->areas[i]);
	start->source.base = takeover_text(h, TEXT_BASE);
	start->program = takeover_text(h, TEXT_PROGRAM);
	start->log.foreground = b->foreground;
	start->log.stderr_fd = b->stderr_fd;
	start->taken = h;
	return 0;
}

static struct listener_place *
place_of(const struct handover_place *h)
{
	struct listener_place *p = xcalloc(1, sizeof(*p));

	*p = (struct listener_place){ .id = h->id,
		.option = h->is_metrics ? "metrics_listen" : "listen",
		.wanted = h->wanted,
		.addr = h->addr,
		.mode = h->mode,
		.role = (enum listen_role)h->role,
		.shared = h->shared,
		.foreign = h->foreign,
		.nfds = h->nfds,
		.from = -1 };
	memcpy(p->fds, h->fds, sizeof(p->fds));
	return p;
}

void
takeover_files(const struct handover *h, const struct conf *conf,
    struct listen_set *l, struct rundir *r)
{
	const struct handover_body *b = h->body;

	*l = (struct listen_set){ .n = b->nplaces,
		.nslots = conf->nworkers,
		.v = xcalloc(b->nplaces, sizeof(struct listener_place *)),
		.last_id = b->listen_last_id };
	for (size_t i = 0; i < l->n; i++)
		l->v[i] = place_of(&h->places[i]);
	*r = (struct rundir){ .conf = conf,
		.lock_fd = b->lock_fd,
		.pid_fd = b->pid_fd,
		.broker_fd = b->broker_fd,
		.control_fd = b->control_fd,
		.lock_path = xasprintf("%s/lock", conf->runtime_dir),
		.listen_path = xasprintf("%s/listen", conf->runtime_dir) };
}

int
takeover_certs(struct certs *c, const struct conf *conf, char **why)
{
	struct certs_loaded l;

	if (certs_map(c, why) == -1)
		return -1;
	if (certs_load(&l, conf, why) == -1) {
		log_warnx("the certificates are not replaced: %s", *why);
		free(*why);
		return 0;
	}
	certs_publish(c, &l, conf);
	certs_forget(&l);
	return 0;
}

int
takeover_check_conf(
    const struct conf *live, const struct master_start *start, char **why)
{
	const struct source *from = &start->source;
	const struct rundir_owner owner = { .give = false };
	struct certs_loaded certs = { .bundle = NULL };
	struct conf fresh;
	char *notes;
	int r = -1;

	if (conf_load_again(&fresh, from->base, from->file, from->arguments,
		from->narguments, why) == -1)
		return -1;
	notes = conf_keep(&fresh, live);
	if (notes != NULL)
		*why = xasprintf("these options have changed and cannot change "
				 "in an upgrade: %s: restart pusherd, or give "
				 "them the values in force (pusherctl config)",
		    notes);
	else if (first_app_check(why) == 0 && listen_check(&fresh, why) == 0 &&
	    rundir_check(&fresh, &owner, why) == 0 &&
	    appdb_check(fresh.database, why) == 0)
		r = certs_load(&certs, &fresh, why);
	certs_forget(&certs);
	free(notes);
	conf_clear(&fresh);
	return r;
}
