/* SPDX-License-Identifier: MIT */
#ifndef WORKER_LINK_UNACKED_H
#define WORKER_LINK_UNACKED_H

/*
 * The numbered messages of this worker (shared/ipc/ipc_msgs.def): sent when
 * there is a broker, and kept in any case until one acknowledges them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/outq.h"
#include "shared/ipc/ipc_msg.h"

struct tombstone;
struct worker;

struct tombstone_ops {
	/* Announces it to a new broker, and perhaps its end. */
	void (*replay)(struct worker *, const struct tombstone *);
	void (*free)(struct worker *, struct tombstone *);
	double seconds; /* it is needed so long, even if acknowledged */
};

/*
 * Something that has ended: while the message that says so is not
 * acknowledged, a replay has to say that it was there.  Its owner embeds it.
 */
struct tombstone {
	struct tombstone *next;
	const struct tombstone_ops *ops;
	uint64_t seq; /* of the message that ended it */
	double at;    /* worker_now() */
};

struct unacked {
	uint64_t seq;         /* of the last numbered message */
	uint64_t acked;       /* the broker has handed on all up to it */
	uint64_t taken;       /* … and put all up to this in its order */
	bool high;            /* above the water mark: publishes are refused */
	bool several;         /* there are other workers, or were: they drain */
	struct buf *arena;    /* where messages are built */
	struct outq messages; /* acked + 1 .. seq, for sending again */
	size_t events;        /* bytes of them that are events */
	uint32_t *len;        /* ring: the length of each of them */
	uint32_t head, cap;
	struct tombstone *ended, **ended_end; /* by seq */
	/*
	 * Notes in a message that is sent again (n bytes, head included) what
	 * has become of it; its length stays.
	 */
	void (*restamp)(struct worker *, uint32_t type, char *p, size_t n);
};

void unacked_init(struct worker *);
void unacked_free(struct worker *);
/* Once a second: forgets what is not needed any more. */
void unacked_tick(struct worker *);

/* Each gives the message its number (m->seq). */
void unacked_send_event(struct worker *, struct msg_event *m);
void unacked_send_sub(struct worker *, struct msg_sub *m);
void unacked_send_unsub(struct worker *, struct msg_unsub *m);
void unacked_send_signin(struct worker *, struct msg_signin *m);
void unacked_send_signout(struct worker *, struct msg_signout *m);
void unacked_send_terminate(struct worker *, struct msg_terminate *m);

/* The message that was sent last ends something; takes the tombstone over. */
void unacked_end(
    struct worker *, struct tombstone *, const struct tombstone_ops *);
bool unacked_is_acked(const struct worker *, uint64_t seq);

/*
 * May an event be published now?  False above the high-water mark, for which
 * only events count.
 */
bool unacked_may_publish(struct worker *);
/*
 * Lets go the replies to what is published.  With one worker that is what the
 * kernel has taken: nothing can overtake it on this link.  With several, what
 * the broker has given its place before everything that is published later
 * through another one.  Without a broker for longer than ANSWER_SECONDS all of
 * it: it is kept here and will be sent.
 */
void unacked_release(struct worker *);

/* Says to a new broker what has ended and was not acknowledged. */
void unacked_replay(struct worker *);
/* Sends everything again that was not acknowledged. */
void unacked_resend(struct worker *);
/* Has a broker acknowledged everything? */
bool unacked_is_empty(const struct worker *);
/* Events that none has acknowledged. */
unsigned unacked_events(const struct worker *);

/* Handler of ACK. */
int unacked_on_ack(struct worker *, const struct msg_ack *);

#endif
