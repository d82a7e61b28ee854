/* SPDX-License-Identifier: MIT */
/*
 * lookup.c: looks up a host name in a thread.  Loop and thread share a job; the
 * thread tells of its end through a pipe.  The one that leaves the job last
 * frees it.
 */

#include "broker/cluster/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/xmalloc.h"

#define STACK_BYTES (512u << 10)

struct lookup_job {
	char host[256], port[8];
	int tell;         /* the pipe's end for the thread */
	int error;        /* of getaddrinfo() */
	atomic_bool left; /* by the loop or the thread */
	struct addrinfo *list;
};

static void
leave(struct lookup_job *job)
{
	if (!atomic_exchange(&job->left, true))
		return; /* the other one is still there */
	if (job->list != NULL)
		freeaddrinfo(job->list);
	close(job->tell);
	free(job);
}

static void
ask(struct lookup_job *job, int flags)
{
	struct addrinfo hints = { .ai_flags = flags | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM };

	job->error = getaddrinfo(job->host, job->port, &hints, &job->list);
}

static void *
run(void *arg)
{
	struct lookup_job *job = arg;

	ask(job, 0);
	while (write(job->tell, "", 1) == -1 && errno == EINTR)
		; /* any other error: it was cancelled */
	leave(job);
	return NULL;
}

/* ---- in the loop ---- */

static void
tell(struct lookup *l, const struct lookup_job *job)
{
	struct sock_addr v[LOOKUP_MAX];
	const struct addrinfo *a;
	char why[320] = "";
	size_t n = 0;

	for (a = job->error == 0 ? job->list : NULL;
	     a != NULL && n < LOOKUP_MAX; a = a->ai_next) {
		memcpy(&v[n].ss, a->ai_addr, a->ai_addrlen);
		v[n++].len = a->ai_addrlen;
	}
	if (n == 0)
		snprintf(why, sizeof(why), "cannot look up %s: %s", job->host,
		    gai_strerror(job->error));
	l->found(l->owner, v, n, why);
}

static void
on_pipe(struct ev_loop *loop, ev_io *io, int revents)
{
	struct lookup *l = io->data;
	struct lookup_job *job = l->job;

	ev_io_stop(loop, io);
	close(io->fd);
	l->job = NULL;
	tell(l, job);
	leave(job);
}

/* 0, or an errno. */
static int
begin_thread(struct lookup_job *job)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, before;
	int e;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	sigfillset(&all); /* they are for the loop */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	e = pthread_create(&thread, &attr, run, job);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return e;
}

void
lookup_begin(struct lookup *l, const char *host, int port)
{
	struct lookup_job *job = xcalloc(1, sizeof(*job));
	int ends[2] = { -1, -1 }, e = 0;

	snprintf(job->host, sizeof(job->host), "%s", host);
	snprintf(job->port, sizeof(job->port), "%d", port);
	ask(job, AI_NUMERICHOST);
	if (job->error != 0 && pipe2(ends, O_CLOEXEC) == -1)
		e = errno;
	job->tell = ends[1];
	if (job->error != 0 && e == 0)
		e = begin_thread(job);
	if (job->error == 0 || e != 0) { /* there is no thread */
		if (e != 0)
			l->found(l->owner, NULL, 0, strerror(e));
		else
			tell(l, job);
		close(ends[0]);
		job->left = true;
		leave(job);
		return;
	}
	l->job = job;
	ev_io_init(&l->io, on_pipe, ends[0], EV_READ);
	l->io.data = l;
	ev_io_start(l->loop, &l->io);
}

void
lookup_cancel(struct lookup *l)
{
	if (l->job == NULL)
		return;
	ev_io_stop(l->loop, &l->io);
	close(l->io.fd);
	leave(l->job);
	l->job = NULL;
}
