/* SPDX-License-Identifier: MIT */
#ifndef WORKER_LINK_UNACKED_H
#define WORKER_LINK_UNACKED_H

/*
 * The numbered messages of this worker (shared/ipc/ipc_msgs.def): sent when
 * there is a broker, and stored in any case until one acknowledges them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/outq.h"
#include "shared/base/shares.h"
#include "shared/ipc/ipc_msg.h"

struct tombstone;
struct worker;

struct tombstone_ops {
	/* Announces it to a new broker, and perhaps its end. */
	void (*replay)(struct worker *, const struct tombstone *);
	void (*free)(struct worker *, struct tombstone *);
	double seconds; /* seconds it is needed, even if acknowledged */
};

/*
 * Something that has ended: until its last message is acknowledged, a replay
 * must announce it first.  Its owner embeds it.
 */
struct tombstone {
	struct tombstone *next;
	const struct tombstone_ops *ops;
	uint64_t seq; /* of the message that ended it */
	double at;    /* worker_now() */
};

struct unacked_size {
	uint32_t len;
	uint32_t app;    /* that it counts for; 0: it is a client's state */
	uint64_t made;   /* stats_stamp() then */
	uint32_t fanout; /* what an event costs here when it comes back */
	bool event;      /* not the answer of a request with a key */
};

struct unacked {
	uint64_t seq;      /* of the last numbered message */
	uint64_t acked;    /* the broker has passed on all up to it */
	uint64_t back;     /* an event that has come back: so has all before */
	uint64_t routed;   /* the last one that is not EVENT_DELIVERED */
	uint64_t taken;    /* … and put all up to this in its order */
	uint64_t heard;    /* the last event of it that had subscribers */
	struct buf *arena; /* where messages are built */
	struct outq messages;       /* acked + 1 .. seq, for sending again */
	size_t counted;             /* bytes of them that count for apps */
	struct unacked_size *sizes; /* ring: of each of them */
	uint32_t head, cap;
	uint64_t fanout;       /* of all of them */
	bool sharing;          /* there are many: the apps' parts count */
	struct shares shares;  /* of `counted`, by app; only while sharing */
	struct shares fanouts; /* of fanout, likewise */
	struct tombstone *ended, **ended_end; /* by seq */
	/* About how many small deliveries of this worker an event costs. */
	uint32_t (*cost)(struct worker *, const struct msg_event *);
	/*
	 * Notes the outcome of a message that is sent again in its n bytes
	 * (head included); its length stays.
	 */
	void (*restamp)(struct worker *, uint32_t type, char *p, size_t n);
};

void unacked_init(struct worker *);
void unacked_free(struct worker *);
/* Goes on behind seq, which is acknowledged. */
void unacked_adopt(struct worker *, uint64_t seq);
/* Once a second: forgets tombstones that are no longer needed. */
void unacked_tick(struct worker *);

/*
 * Would the next event, with n bytes, follow all earlier ones if it is
 * delivered at once?  It does when all that these have caused has been read.
 * False also if so much waits for the broker that it may not leave in this
 * turn.
 */
bool unacked_may_deliver(const struct worker *, size_t n);
/* The broker has sent this event of this worker back. */
void unacked_came_back(struct worker *, uint64_t seq);

/* Each gives the message its number (m->seq). */
void unacked_send_event(struct worker *, struct msg_event *m);
void unacked_send_sub(struct worker *, struct msg_sub *m);
void unacked_send_unsub(struct worker *, struct msg_unsub *m);
void unacked_send_signin(struct worker *, struct msg_signin *m);
void unacked_send_signout(struct worker *, struct msg_signout *m);
void unacked_send_terminate(struct worker *, struct msg_terminate *m);
void unacked_send_idem_store(struct worker *, struct msg_idem_store *m);

/* The last sent message ends something; takes over the tombstone. */
void unacked_end(
    struct worker *, struct tombstone *, const struct tombstone_ops *);
bool unacked_is_acked(const struct worker *, uint64_t seq);

/*
 * May this app publish an event now?  Its events that wait for the broker may
 * use all room that is still free: an app that fills it only blocks itself.
 */
bool unacked_may_publish(struct worker *, uint32_t app);
/*
 * Must this app wait before it publishes?  Other apps' events are delivered
 * behind its own, so these may be no more than some tenths of a second of work:
 * as much as is still free, like the room above.
 */
bool unacked_must_wait(const struct worker *, uint32_t app);
/* Bytes of its waiting events, if many wait; for the error sentence. */
size_t unacked_app_bytes(const struct worker *, uint32_t app);
/*
 * Releases the replies to publishes: to everything that the kernel has taken,
 * which comes before every later publish through any worker (PLACE).  Without a
 * broker for longer than ANSWER_SECONDS: to all of them; they are stored here
 * and will be sent.  In a cluster: only to what the stream has; see
 * api_confirm_tick().
 */
void unacked_release(struct worker *);

/* Announces unacknowledged ended things to a new broker. */
void unacked_replay(struct worker *);
/* Sends everything again that was not acknowledged. */
void unacked_resend(struct worker *);
/* Has a broker acknowledged everything? */
bool unacked_is_empty(const struct worker *);
/* The number of unacknowledged events. */
unsigned unacked_events(const struct worker *);

/* Handler of ACK. */
int unacked_on_ack(struct worker *, const struct msg_ack *);

#endif
