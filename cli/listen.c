/* SPDX-License-Identifier: MIT */
/*
 * listen.c: makes the sockets that clients connect to, before privileges are
 * dropped, and owns them for the life of the master.  SO_REUSEPORT lets the
 * slots share a port; since it would let another server share it too, an
 * address is first tried without.  Never accepts.
 */

#include "cli/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base.h"
#include "shared/buf.h"
#include "shared/conf.h"
#include "shared/xmalloc.h"

static unsigned
port_of(const struct sock_addr *a)
{
	struct sockaddr_in sin;
	struct sockaddr_in6 sin6;

	if (a->ss.ss_family == AF_INET6) {
		memcpy(&sin6, &a->ss, sizeof(sin6));
		return ntohs(sin6.sin6_port);
	}
	memcpy(&sin, &a->ss, sizeof(sin));
	return ntohs(sin.sin_port);
}

/* The sentence for errno. */
static int
refuse(const struct sock_addr *a, const char *option, char **why)
{
	char text[80];
	unsigned port = port_of(a);
	int saved = errno;

	sock_addr_text(a, text, sizeof(text));
	switch (saved) {
	case EADDRINUSE:
		*why = xasprintf("cannot listen on %s: the port is in use: see "
				 "who has it with `ss -ltnp 'sport = :%u'`, or "
				 "change the option %s",
		    text, port, option);
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
 * Tries the address alone; a port 0 is free by nature.  Between this and the
 * real socket somebody may come in between; then two servers share a port,
 * which only someone who uses SO_REUSEPORT under the same user can do.
 */
static int
try_alone(const struct sock_addr *a)
{
	int fd, r, saved, on = 1;

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

/* The option that the i-th address comes from. */
static const char *
option_of(size_t i, size_t nlisten)
{
	return i < nlisten ? "listen" : "metrics_listen";
}

static int
parse(const struct conf *conf, size_t i, struct sock_addr *a, char **why)
{
	const char *text =
	    i < conf->listen.n ? conf->listen.v[i] : conf->metrics_listen;

	if (sock_addr_parse(str_of(text), a) == 0)
		return 0;
	*why = xasprintf("%s is \"%s\": must be an address and a port",
	    option_of(i, conf->listen.n), text);
	return -1;
}

/* Of the option metrics_listen: 0 or 1. */
static size_t
count_metrics(const struct conf *conf)
{
	return conf->metrics_listen[0] == '\0' ? 0 : 1;
}

/* One address on every slot; the first slot says what port 0 became. */
static int
open_address(struct listen_set *l, size_t i, char **why)
{
	const char *option = option_of(i, l->n - l->nmetrics);
	struct sock_addr *a = &l->addrs[i];
	unsigned slot;
	int fd;

	for (slot = 0; slot < l->nslots; slot++) {
		fd = sock_listen_tcp(a);
		if (fd == -1)
			return refuse(a, option, why);
		l->fds[slot * l->n + i] = fd;
		a->len = sizeof(a->ss);
		if (getsockname(fd, (void *)&a->ss, &a->len) == -1)
			return refuse(a, option, why);
	}
	return 0;
}

int
listen_open(struct listen_set *l, const struct conf *conf, char **why)
{
	size_t i;
	int r = 0;

	l->nmetrics = count_metrics(conf);
	l->n = conf->listen.n + l->nmetrics;
	l->nslots = conf->nworkers;
	l->addrs = xcalloc(l->n, sizeof(*l->addrs));
	l->fds = xcalloc(l->n * l->nslots, sizeof(*l->fds));
	for (i = 0; i < l->n * l->nslots; i++)
		l->fds[i] = -1;
	/* All are tried first: our own 0.0.0.0 is not in the way of ours. */
	for (i = 0; r == 0 && i < l->n; i++) {
		r = parse(conf, i, &l->addrs[i], why);
		if (r == 0 && try_alone(&l->addrs[i]) == -1)
			r = refuse(
			    &l->addrs[i], option_of(i, conf->listen.n), why);
	}
	for (i = 0; r == 0 && i < l->n; i++)
		r = open_address(l, i, why);
	if (r == -1)
		listen_close(l);
	return r;
}

void
listen_close(struct listen_set *l)
{
	size_t i;

	for (i = 0; i < l->n * l->nslots; i++)
		if (l->fds[i] != -1)
			close(l->fds[i]);
	free(l->fds);
	free(l->addrs);
	memset(l, 0, sizeof(*l));
}

const int *
listen_slot(const struct listen_set *l, unsigned slot)
{
	return l->fds + slot * l->n;
}

static char *
join(const struct listen_set *l, const char *between, const char *end)
{
	struct buf *b = NULL;
	char text[80], *out;
	size_t i;

	for (i = 0; i < l->n; i++) {
		sock_addr_text(&l->addrs[i], text, sizeof(text));
		buf_printf(&b, "%s%s%s", i == 0 ? "" : between, text,
		    i < l->n - l->nmetrics ? "" : " (metrics)");
	}
	buf_printf(&b, "%s", end);
	out = xstrndup(b->data, b->len);
	buf_unref(b);
	return out;
}

char *
listen_text(const struct listen_set *l)
{
	return join(l, ", ", "");
}

/* 0, or -1 with errno. */
static int
write_file(const char *path, struct str text)
{
	int fd, saved;
	ssize_t n;

	fd = open(
	    path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd == -1)
		return -1;
	errno = ENOSPC; /* of a write that is short */
	n = write(fd, text.p, text.n);
	saved = errno;
	close(fd);
	errno = saved;
	return n == (ssize_t)text.n ? 0 : -1;
}

int
listen_write(const struct listen_set *l, const char *path, char **why)
{
	char *text = join(l, "\n", "\n");
	char *fresh = xasprintf("%s.new", path);
	int r = write_file(fresh, str_of(text));

	if (r == 0)
		r = rename(fresh, path);
	if (r == -1) {
		*why = xasprintf("cannot write %s: %s", path, strerror(errno));
		unlink(fresh);
	}
	free(fresh);
	free(text);
	return r;
}

int
listen_check(const struct conf *conf, char **why)
{
	struct sock_addr a;
	size_t i;

	for (i = 0; i < conf->listen.n + count_metrics(conf); i++) {
		if (parse(conf, i, &a, why) == -1)
			return -1;
		if (try_alone(&a) == -1 && errno != EADDRINUSE)
			return refuse(&a, option_of(i, conf->listen.n), why);
	}
	return 0;
}
