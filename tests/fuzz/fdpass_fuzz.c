/* SPDX-License-Identifier: MIT */
/*
 * The link between the master and its children, with a liar at either end:
 * orders to a child, with descriptors; what children say to the master.  Bad
 * messages change nothing, no descriptor stays open, a configuration
 * that was taken can be handed on.  Input: the end that is tried, then
 * messages.
 */

#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/master/master.h"
#include "cli/master/start.h"
#include "cli/master/state.h"
#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/conf/conf_change.h"
#include "shared/ipc/fdpass.h"
#include "shared/ipc/master_link.h"
#include "tests/fuzz/messages.h"

#define CHILDREN 4

/* ---- what both ends have ---- */

static int null = -1;

/* Sends these bytes as they are, with so many descriptors. */
static void
tell(int fd, struct buf *b, size_t nfds)
{
	int fds[FDPASS_FDS];

	for (size_t i = 0; i < nfds; i++)
		fds[i] = null;
	(void)!fdpass_send(fd, buf_str(b).p, buf_str(b).n, fds, nfds);
}

static void
hear(int fd)
{
	static char bytes[FDPASS_BYTES];
	int fds[FDPASS_FDS];
	size_t n;

	while (fdpass_recv(fd, bytes, sizeof(bytes), fds, &n) > 0)
		while (n > 0)
			close(fds[--n]);
}

/* Logging may have changed; tests and the fuzzer want theirs. */
static void
restore_log(int saved)
{
	log_to_stderr();
	log_set_level(LOG_LEVEL_ERROR);
	log_set_format(LOG_FORMAT_LOGFMT);
	assert_int_not_equal(dup2(saved, STDERR_FILENO), -1);
}

/* ---- a child ---- */

struct child_end {
	struct master_link master_link;
	struct conf conf;
	struct ev_loop *loop;
	unsigned taken;
};

static char *
on_reconf(void *owner, const struct msg_reconf *m, const int *fds, size_t n)
{
	struct child_end *e = owner;

	assert_int_equal(m->listeners.n, n * 4);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(close(fds[i]), 0);
	e->taken++;
	return NULL;
}

static void
on_drain(void *owner, const struct msg_drain *m)
{
	struct child_end *e = owner;

	assert_true(m->how <= UINT8_MAX);
	e->taken++;
}

static void
on_reply(void *owner, const struct msg_master_reply *m)
{
	struct child_end *e = owner;

	assert_true(m->text.n == 0 || m->text.p != NULL);
	e->taken++;
}

/* The configuration as the master has it, with something else in it. */
static void
make_reconf(
    struct input *in, const struct conf *conf, struct buf **b, size_t nfds)
{
	uint32_t ids[FDPASS_FDS] = { 0 };
	struct buf *text = NULL, *edited = NULL;
	struct msg_reconf m = { .id = input_u8(in),
		.listeners = str_make(ids, nfds * 4) };
	size_t at, cut;
	struct str s;

	conf_dump(conf, &text);
	at = input_u16(in) % (text->len + 1);
	cut = input_u16(in) % (text->len - at + 1);
	if (cut > 200)
		cut = 0;
	s = input_str(in);
	buf_append(&edited, str_make(text->data, at));
	buf_append(&edited, s);
	buf_append(
	    &edited, str_make(text->data + at + cut, text->len - at - cut));
	m.conf = buf_str(edited);
	msg_reconf_put(buf_reserve(b, msg_reconf_size(&m)), &m);
	(*b)->len += (uint32_t)msg_reconf_size(&m);
	buf_unref(text);
	buf_unref(edited);
}

static void
on_move(void *owner, const struct msg_move_out *m, int fd)
{
	close(fd);
}

/* Complete, as the master has it. */
static void
conf_ready(struct conf *c)
{
	char *why;

	conf_init(c);
	if (conf_finish(c, &why) == -1)
		fail_msg("%s", why);
}

/* A message that was taken can be handed on, and is the same then. */
static void
check_conf(const struct conf *c)
{
	struct buf *a = NULL, *b = NULL;
	struct conf again;
	char *why;

	conf_dump(c, &a);
	if (conf_load_dump(&again, buf_str(a), &why) == -1)
		fail_msg("%s", why);
	conf_dump(&again, &b);
	assert_true(str_eq(buf_str(a), buf_str(b)));
	conf_clear(&again);
	buf_unref(a);
	buf_unref(b);
}

static void
child_end(struct input *in)
{
	static const struct master_link_ops ops = { .on_reconf = on_reconf,
		.on_drain = on_drain,
		.on_reply = on_reply,
		.on_move = on_move };
	static const struct master_link_ops few = { NULL };
	struct words words = { NULL, 0, NULL, 0 };
	struct child_end e = { .taken = 0 };
	int ends[2], before, saved = dup(STDERR_FILENO);
	struct buf *b;
	size_t nfds;
	uint8_t op;

	conf_ready(&e.conf);
	assert_int_equal(fdpass_pair(ends), 0);
	e.loop = ev_loop_new(EVFLAG_AUTO);
	master_link_start(&e.master_link, e.loop, ends[1], &e.conf,
	    input_u8(in) & 1 ? &ops : &few, &e);
	ev_run(e.loop, EVRUN_NOWAIT); /* it opens what it needs */
	for (int i = 0; i < 40 && in->n > 0; i++) {
		b = NULL;
		op = input_u8(in);
		nfds = op & 0x10 ? input_u8(in) % (FDPASS_FDS + 1) : op & 3;
		if (op >= 0xe0)
			buf_append(&b, input_str(in));
		else if (op >= 0x80)
			make_reconf(in, &e.conf, &b, nfds);
		else
			message_make(in, FROM_MASTER, &words, &b);
		before = next_fd();
		tell(ends[0], b, nfds);
		ev_run(e.loop, EVRUN_NOWAIT);
		restore_log(saved);
		hear(ends[0]);
		assert_int_equal(next_fd(), before);
		if (op >= 0x80 && op < 0xe0)
			check_conf(&e.conf);
		buf_unref(b);
	}
	master_link_stop(&e.master_link, e.loop);
	ev_loop_destroy(e.loop);
	conf_clear(&e.conf);
	close(ends[0]);
	close(ends[1]);
	close(saved);
}

/* ---- the master ---- */

static const struct str texts[] = { { "drain", 5 }, { "reload", 6 },
	{ "log-level", 9 }, { "debug", 5 }, { "error", 5 }, { "3600000", 7 },
	{ "3600001", 7 }, { "", 0 } };

static void
master_init(struct master *m, struct master_start *s, struct conf *conf,
    int ends[CHILDREN])
{
	int pair[2];

	conf_ready(conf);
	s->conf = conf;
	s->log.stderr_fd = -1;
	s->log.foreground = true;
	m->start = s;
	m->phase = PHASE_START;
	m->nchildren = CHILDREN;
	for (size_t i = 0; i < CHILDREN; i++) {
		struct child *c = &m->children[i];

		assert_int_equal(fdpass_pair(pair), 0);
		/* Nobody has this number, should it be told to go. */
		*c = (struct child){ .role = MIN(i, (size_t)CHILD_WORKER),
			.slot = (unsigned)i,
			.pid = INT_MAX,
			.ready_fd = -1,
			.link_fd = pair[0],
			.owes = i };
		ends[i] = pair[1];
	}
}

static void
master_end(struct input *in)
{
	struct words words = { NULL, 0, texts, nitems(texts) };
	struct master *m = xcalloc(1, sizeof(*m));
	int ends[CHILDREN], before, saved = dup(STDERR_FILENO);
	struct master_start s = { .broker_fd = -1 };
	struct conf conf;
	size_t which, nfds;
	bool open;
	uint8_t op;

	master_init(m, &s, &conf, ends);
	for (int i = 0; i < 40 && in->n > 0; i++) {
		struct buf *b = NULL;
		struct child *c;

		op = input_u8(in);
		which = op % CHILDREN;
		nfds = op & 0x10 ? input_u8(in) % (FDPASS_FDS + 1) : 0;
		c = &m->children[which];
		if (c->link_fd == -1)
			continue;
		if (op >= 0xe0)
			buf_append(&b, input_str(in));
		else
			message_make(
			    in, (enum ipc_sender)TO_MASTER, &words, &b);
		before = next_fd();
		tell(ends[which], b, nfds);
		dup2(null, STDERR_FILENO); /* "log: level debug" */
		request_on_link(m, c);
		restore_log(saved);
		open = c->link_fd != -1;
		for (size_t k = 0; k < CHILDREN; k++)
			hear(ends[k]);
		if (open)
			assert_int_equal(next_fd(), before);
		assert_true(m->phase == PHASE_START || m->phase == PHASE_DRAIN);
		assert_true(which == 0 || m->children[which].pid == INT_MAX);
		buf_unref(b);
	}
	for (size_t i = 0; i < CHILDREN; i++) {
		child_cut_link(&m->children[i]);
		free(m->children[i].failed);
		close(ends[i]);
	}
	conf_clear(&conf);
	free(m);
	close(saved);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct input in = { p, n };

	fuzz_start();
	if (null == -1)
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (input_u8(&in) & 1)
		child_end(&in);
	else
		master_end(&in);
	return 0;
}
