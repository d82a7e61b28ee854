/* SPDX-License-Identifier: MIT */
/*
 * listen.c: makes the sockets that clients connect to, before privileges are
 * dropped, and owns them for the life of the master.  SO_REUSEPORT lets the
 * slots share a port; since it would let another server share it too, an
 * address is first tried without.  Never accepts.
 */

#include "cli/master/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/master/files.h"
#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"

static int
refuse_unix(const struct sock_addr *a, char **why)
{
	const char *path = sock_addr_path(a);
	int saved = errno;

	if (saved == EADDRINUSE)
		*why = xasprintf("cannot listen on unix:%s: it is not a "
				 "socket, or another process listens there",
		    path);
	else
		*why = xasprintf(
		    "cannot listen on unix:%s: %s: its directory must exist "
		    "and be writable for the user who starts pusherd",
		    path, strerror(saved));
	return -1;
}

/* The sentence for errno. */
static int
refuse(const struct sock_addr *a, const char *option, char **why)
{
	char text[SOCK_TEXT_MAX];
	int saved = errno;

	if (a->ss.ss_family == AF_UNIX)
		return refuse_unix(a, why);
	sock_addr_text(a, text, sizeof(text));
	switch (saved) {
	case EADDRINUSE:
		*why =
		    xasprintf("cannot listen on %s: the port is in use: find "
			      "its owner with `ss -ltnp 'sport = :%u'`, or "
			      "change the option %s",
			text, sock_addr_port(a), option);
		break;
	case EACCES:
	case EPERM:
		*why = xasprintf("cannot listen on %s: no permission: ports "
				 "below 1024 need root or CAP_NET_BIND_SERVICE",
		    text);
		break;
	case EADDRNOTAVAIL:
		*why = xasprintf("cannot listen on %s: this machine does not "
				 "have the address: `ip address` shows those "
				 "it has",
		    text);
		break;
	case EAFNOSUPPORT:
		*why = xasprintf("cannot listen on %s: this machine has no "
				 "IPv6: change the option %s",
		    text, option);
		break;
	case EMFILE:
	case ENFILE:
		*why = xasprintf("cannot listen on %s: too many open files: "
				 "raise the limit (ulimit -n, LimitNOFILE)",
		    text);
		break;
	default:
		*why =
		    xasprintf("cannot listen on %s: %s", text, strerror(saved));
		break;
	}
	return -1;
}

/*
 * Tries the address alone; a port 0 is always free.  Between this and the real
 * socket another server may come; then both share a port, which only works for
 * a program that uses SO_REUSEPORT under the same user.
 */
static int
try_alone(const struct sock_addr *a)
{
	int fd, r, saved, on = 1;

	if (a->ss.ss_family == AF_UNIX)
		return 0; /* to bind it is the only way to know */
	fd = socket(a->ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	/* Connections of an earlier server may still be in TIME_WAIT. */
	r = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (r == 0 && a->ss.ss_family == AF_INET6)
		r = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (r == 0)
		r = bind(fd, (const void *)&a->ss, a->len);
	saved = errno;
	close(fd);
	errno = saved;
	return r;
}

/* The option of the i-th address. */
static const char *
option_of(size_t i, size_t nlisten)
{
	return i < nlisten ? "listen" : "metrics_listen";
}

/* ---- one address ---- */

static struct listener_place *
place_new(const struct listen_spec *spec, const char *option)
{
	struct listener_place *p = xcalloc(1, sizeof(*p));

	p->wanted = p->addr = spec->addr;
	p->mode = spec->mode;
	p->option = option;
	p->from = -1;
	return p;
}

/* The sockets of slots from `from` on. */
static void
close_sockets(struct listener_place *p, unsigned from)
{
	const char *path = sock_addr_path(&p->addr);

	if (from == 0 && p->nfds > 0 && path != NULL && !p->foreign)
		unlink(path);
	while (p->nfds > from)
		close(p->fds[--p->nfds]);
}

/*
 * Makes sockets up to this slot; the first one determines port 0.  An open
 * socket stays for good: a slot that is given up has its place in the kernel's
 * list, on which steer() relies.
 */
static int
open_sockets(struct listener_place *p, unsigned nslots, char **why)
{
	const char *path = sock_addr_path(&p->addr);
	int fd;

	if (path != NULL && p->nfds == 0) {
		fd = sock_listen_unix(path, p->mode);
		if (fd == -1)
			return refuse(&p->addr, p->option, why);
		p->shared = true;
		p->fds[p->nfds++] = fd;
	}
	while (!p->shared && p->nfds < nslots) {
		fd = sock_listen_tcp(&p->addr);
		if (fd == -1)
			return refuse(&p->addr, p->option, why);
		p->fds[p->nfds++] = fd;
		p->addr.len = sizeof(p->addr.ss);
		if (getsockname(fd, (void *)&p->addr.ss, &p->addr.len) == -1)
			return refuse(&p->addr, p->option, why);
	}
	return 0;
}

/*
 * Makes the kernel choose only among the first n sockets of the group, so that
 * no connection is put into the queue of a slot without a worker.  (socket(7),
 * SO_ATTACH_REUSEPORT_CBPF: the number that the program returns is that of the
 * socket in the order of bind(2).)
 */
static bool
steer(const struct listener_place *p, unsigned n)
{
	struct sock_filter code[] = {
		{ BPF_LD | BPF_W | BPF_ABS, 0, 0,
		    (uint32_t)(SKF_AD_OFF + SKF_AD_RANDOM) },
		{ BPF_ALU | BPF_MOD | BPF_K, 0, 0, n },
		{ BPF_RET | BPF_A, 0, 0, 0 },
	};
	struct sock_fprog prog;

	memset(&prog, 0, sizeof(prog)); /* the kernel gets its padding, too */
	prog.len = nitems(code);
	prog.filter = code;
	return p->shared ||
	    setsockopt(p->fds[0], SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &prog,
		sizeof(prog)) == 0;
}

/* ---- all of them ---- */

static bool
is_same_addr(const struct sock_addr *a, const struct sock_addr *b)
{
	return a->len == b->len && memcmp(&a->ss, &b->ss, a->len) == 0;
}

/* The place that listens on this address already and is not yet in `next`. */
static struct listener_place *
find_place(const struct listen_set *l, const struct listen_set *next,
    const struct sock_addr *a)
{
	struct listener_place *p;
	size_t i, k;

	for (i = 0; i < l->n; i++) {
		p = l->v[i];
		for (k = 0; k < next->n && next->v[k] != p; k++)
			continue;
		if (k == next->n && is_same_addr(&p->wanted, a))
			return p;
	}
	return NULL;
}

/*
 * The server's own sockets are no reason to refuse: 0.0.0.0 in place of
 * 127.0.0.1.
 */
static bool
is_own_port(const struct listen_set *l, const struct sock_addr *a)
{
	for (size_t i = 0; i < l->n; i++)
		if (sock_addr_port(&l->v[i]->addr) == sock_addr_port(a) &&
		    sock_addr_port(a) != 0)
			return true;
	return false;
}

/* A socket that the service manager has made for this address; or -1. */
static int
take_given(struct listen_set *l, const struct sock_addr *a)
{
	struct sock_addr have;
	int fd;

	for (size_t i = 0; i < l->ngiven; i++) {
		fd = l->given[i];
		memset(&have, 0, sizeof(have));
		have.len = sizeof(have.ss);
		if (getsockname(fd, (void *)&have.ss, &have.len) == -1 ||
		    !is_same_addr(&have, a))
			continue;
		l->given[i] = l->given[--l->ngiven];
		return fd;
	}
	return -1;
}

static int
add_place(struct listen_set *next, const struct listen_set *now,
    const struct listen_spec *spec, const char *option, char **why)
{
	const struct sock_addr *a = &spec->addr;
	struct listener_place *p = find_place(now, next, a);

	int fd = p == NULL ? take_given(next, a) : -1;

	if (fd != -1) {
		p = place_new(spec, option);
		p->id = ++next->last_id;
		p->shared = p->foreign = true;
		p->fds[0] = fd;
		p->nfds = 1;
	}
	if (p == NULL) {
		if (try_alone(a) == -1 &&
		    (errno != EADDRINUSE || !is_own_port(now, a)))
			return refuse(a, option, why);
		p = place_new(spec, option);
		p->id = ++next->last_id;
	}
	next->v[next->n++] = p;
	return 0;
}

/* Opens the missing sockets; *nold: how many sockets each place had before. */
static int
open_event_order(struct listen_set *next, char **why)
{
	for (size_t i = 0; i < next->n; i++) {
		next->v[i]->from = (int)next->v[i]->nfds;
		if (open_sockets(next->v[i], next->nslots, why) == -1)
			return -1;
	}
	return 0;
}

/* The last step that can fail: what open places have from the configuration. */
static int
set_up(struct listen_set *next, const struct conf *conf, char **why)
{
	for (size_t i = 0; i < next->n; i++) {
		struct listener_place *p = next->v[i];
		const struct listen_spec *spec = &conf->listeners[i];
		const char *path = sock_addr_path(&p->addr);

		if (path != NULL && !p->foreign && p->mode != spec->mode &&
		    listen_unix_set_mode(path, spec->mode, why) == -1)
			return -1;
		p->mode = spec->mode;
	}
	for (size_t i = 0; i < next->n; i++)
		next->v[i]->role = conf->listeners[i].role;
	return 0;
}

static bool
has_place(const struct listen_set *l, const struct listener_place *p)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i] == p)
			return true;
	return false;
}

static void
place_free(struct listener_place *p)
{
	close_sockets(p, 0);
	free(p);
}

/* Undoes listen_prepare(). */
static void
abandon(struct listen_set *next, const struct listen_set *now)
{
	struct listener_place *p;

	for (size_t i = 0; i < next->n; i++) {
		p = next->v[i];
		if (!has_place(now, p))
			place_free(p);
		else if (p->from != -1)
			close_sockets(p, (unsigned)p->from);
	}
	free(next->v);
	memset(next, 0, sizeof(*next));
}

int
listen_prepare(struct listen_set *next, const struct listen_set *now,
    const struct conf *conf, char **why)
{
	size_t total = conf->nlisteners, i;
	int r = 0;

	*next = (struct listen_set){ .nslots = conf->nworkers,
		.last_id = now->last_id };
	memcpy(next->given, now->given, sizeof(now->given));
	next->ngiven = now->ngiven;
	next->v = xcalloc(total, sizeof(struct listener_place *));
	for (i = 0; i < now->n; i++)
		now->v[i]->from = -1;
	/*
	 * All are tried first: the server's own 0.0.0.0 does not block its
	 * other addresses.
	 */
	for (i = 0; r == 0 && i < total; i++)
		r = add_place(next, now, &conf->listeners[i],
		    option_of(i, conf->listen.n), why);
	if (r == 0)
		r = open_event_order(next, why);
	if (r == 0)
		r = set_up(next, conf, why);
	if (r == -1)
		abandon(next, now);
	return r;
}

void
listen_take(struct listen_set *now, struct listen_set *next)
{
	struct listen_set old = *now;

	*now = *next;
	now->gone = old.gone;
	now->ngone = old.ngone;
	for (size_t i = 0; i < old.n; i++) {
		if (has_place(now, old.v[i]))
			continue;
		now->gone = xreallocarray(
		    now->gone, now->ngone + 1, sizeof(struct listener_place *));
		now->gone[now->ngone++] = old.v[i];
	}
	free(old.v);
	memset(next, 0, sizeof(*next));
}

void
listen_forget_gone(struct listen_set *l)
{
	for (size_t i = 0; i < l->ngone; i++)
		place_free(l->gone[i]);
	free(l->gone);
	l->gone = NULL;
	l->ngone = 0;
}

bool
listen_steer(struct listen_set *l, unsigned n)
{
	bool ok = true;

	for (size_t i = 0; i < l->n; i++)
		ok = steer(l->v[i], n) && ok;
	return ok;
}

int
listen_open(struct listen_set *l, const struct conf *conf, char **why)
{
	struct listen_set next;

	if (listen_prepare(&next, l, conf, why) == -1)
		return -1;
	listen_take(l, &next);
	while (l->ngiven > 0) {
		log_warnx("a socket of the service manager has an address that "
			  "the option listen does not have: it is closed");
		close(l->given[--l->ngiven]);
	}
	return 0;
}

int
listen_give(const struct listen_set *l, uid_t uid, gid_t gid)
{
	int r = 0;

	/* One file system without owners must not keep the others back. */
	for (size_t i = 0; i < l->n; i++) {
		const struct listener_place *p = l->v[i];
		const char *path = sock_addr_path(&p->addr);

		if (path != NULL && !p->foreign &&
		    listen_unix_give(path, uid, gid) == -1)
			r = -1;
		for (unsigned k = 0; !p->shared && k < p->nfds; k++)
			if (fchown(p->fds[k], uid, gid) == -1)
				r = -1;
	}
	return r;
}

void
listen_close(struct listen_set *l)
{
	for (size_t i = 0; i < l->n; i++)
		place_free(l->v[i]);
	free(l->v);
	listen_forget_gone(l);
	memset(l, 0, sizeof(*l));
}

void
listen_slot(const struct listen_set *l, unsigned slot, int *fds, uint32_t *ids)
{
	for (size_t i = 0; i < l->n; i++) {
		fds[i] = l->v[i]->fds[l->v[i]->shared ? 0 : slot];
		ids[i] = l->v[i]->id;
	}
}

int
listen_check(const struct conf *conf, char **why)
{
	const struct sock_addr *a;

	for (size_t i = 0; i < conf->nlisteners; i++) {
		a = &conf->listeners[i].addr;
		if (try_alone(a) == -1 && errno != EADDRINUSE)
			return refuse(a, option_of(i, conf->listen.n), why);
		if (a->ss.ss_family == AF_UNIX &&
		    !files_may_write(conf, sock_addr_path(a)))
			return refuse_unix(a, why);
	}
	return 0;
}
