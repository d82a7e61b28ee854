/* SPDX-License-Identifier: MIT */
#ifndef BROKER_LINK_PEER_H
#define BROKER_LINK_PEER_H

/*
 * The broker's end of a worker's link: hello, ping, death, and the
 * acknowledgement of events.
 */

#include <assert.h>
#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/base/hash.h"
#include "shared/base/list.h"
#include "shared/base/magic.h"
#include "shared/ipc/ipc.h"
#include "shared/proc/proc.h"

struct broker;

/*
 * Events up to `seq` have been passed on when each link in `targets` has sent
 * what it had queued then.
 */
struct barrier {
	uint64_t seq;
	uint64_t targets; /* bit per slot that is still awaited */
	uint64_t pos[PROC_MAX_WORKERS];
};

/* Signs of life; see alive.c. */
struct alive {
	unsigned silent; /* pings in a row without a sign of life */
	bool blocked;    /* at the last ping its socket was full */
	uint64_t nin;    /* ipc.nin at the last ping */
	uint64_t read;   /* bytes that it had taken then */
	unsigned still;  /* ticks over the bound in which it read nothing */
	uint64_t taken;  /* bytes, at the last tick */
};

/* Answers that wait for room; see answers.c. */
struct answers {
	struct hash apps, conns; /* connections with waiting answers */
	struct list ring;        /* the apps, in the order of their turns */
	struct list numbered;    /* those to numbered questions, by number */
	uint64_t owed;           /* the first of these numbers; 0: none */
	size_t bytes;
	bool giving;
	size_t charged; /* see answers_charge() */
	bool stopped;   /* the link is not read; a message waits in it */
};

struct peer {
	uint32_t magic; /* MAGIC_PEER while it lives */
	struct ipc ipc;
	struct broker *br;
	struct list link; /* in br->links->all, or br->links->gone */
	int slot;         /* -1 before HELLO */
	uint32_t pid;
	uint64_t origin;
	double since; /* broker_now() of accept, then of HELLO */
	struct alive alive;
	uint64_t pong;  /* id of the last one answered */
	uint64_t place; /* PLACE of the present message; 0: none */
	bool courier;   /* the courier, not a worker */
	bool readable;  /* has sent something since it was read */
	/*
	 * The end of its old state has been announced, so that its replay
	 * counts as new: it had a link to this broker before, or came too late.
	 */
	bool rejoined;
	uint64_t resync_nin;  /* ipc.nin when resync looked last */
	uint64_t missed_ping; /* id of the PING behind MISSED; 0: none */
	bool replayed;        /* has said RESYNC_DONE, with this seq: */
	uint64_t replay_end;
	uint64_t last;  /* highest seq handled */
	uint64_t heard; /* of the last event of a channel with subscribers */
	/* In a resync: its next message waits for older ones of others. */
	bool waits;
	uint64_t next_pos; /* the place of that message: see resync.c */
	uint32_t run;      /* see event_order_find() */
	uint32_t nconns;
	uint32_t nrefused; /* subscriptions, since HELLO */

	uint64_t turn_last;       /* last seq of this turn; 0: none */
	uint64_t targets;         /* slots that got events of this turn */
	struct barrier now, next; /* seq 0: none */
	uint64_t deliverable,
	    acked;           /* seq that may be, that was acknowledged */
	uint64_t acked_seen; /* `last` as the worker knows it */

	/*
	 * In a cluster: the last seq that was handed to the stream, and the
	 * messages in it that are not applied yet.
	 */
	uint64_t handed;
	uint32_t relayed;
	bool paused;            /* not read until they are applied */
	bool large;             /* gone, with a long queue */
	struct hash refused;    /* subscriptions; see peer_refuse() */
	uint64_t room_end;      /* position; see peer_has_room() */
	struct answers answers; /* answers that wait for room */
};

/* The peer of a list or a callback. */
static inline struct peer *
peer_living(struct peer *p)
{
	assert(p->magic == MAGIC_PEER);
	return p;
}
#define PEER_OF(e) peer_living(LIST_ITEM(e, struct peer, link))

/*
 * Callbacks to the rest of the broker.  The table is in order.c, and with it
 * the order in which the modules learn of a change.
 */
struct link_ops {
	const ipc_handler *handlers; /* of messages; the owner is the peer */
	void (*input)(void *peer);   /* see struct ipc_ops */
	/* A worker has said HELLO; is_new: another process than before. */
	void (*up)(struct peer *, bool is_new);
	/*
	 * The link has ended; also called without HELLO, and for the courier.
	 */
	void (*down)(struct peer *);
	/* The worker has answered this ping, and all earlier ones. */
	void (*pong)(struct peer *, uint64_t id);
	/* Sends the messages that must leave before all others of the turn. */
	void (*flush)(struct broker *);
	/* True when the worker has connections or subscriptions. */
	bool (*has_clients)(const struct peer *);
	/* A resync is over: called before its deferred answers ... */
	void (*live)(struct broker *);
	/* ... and after them; nworkers have a link. */
	void (*open)(struct broker *, unsigned nworkers);
	/*
	 * All that is there is known: members and users that nobody has named
	 * again are gone.
	 */
	void (*known)(struct broker *);
};

/* All links. */
struct link_table {
	const struct link_ops *ops;
	struct ipc_ops ipc_ops;
	struct list all;                    /* every struct peer */
	struct list gone;                   /* freed at the end of the turn */
	uint64_t origins[PROC_MAX_WORKERS]; /* by slot, of the last HELLO */
	uint64_t ping_id;                   /* the last one given out */
	bool rings;                         /* each worker is offered one */
	bool acks_wait;                     /* for the end of a resync */
	bool congested;      /* a worker has too much to read: none is read */
	struct peer *alone;  /* see alone.c; NULL: no worker */
	uint64_t alone_ping; /* its PONG ends that; 0: it is not asked */
	ev_idle arrivals;    /* see arrivals.c */
	ev_check woken;      /* likewise */
	uint64_t until;      /* messages with a later place wait */
	ev_timer ping;       /* see alive.c */
	ev_timer ack;        /* delays acknowledgements */
};

/* Bytes of long answers that may be queued before other messages. */
#define PEER_ROOM (1u << 20)

/* Of the links' watchers. */
#define PEER_PRIORITY EV_MAXPRI

void peer_init(struct broker *, const struct link_ops *);
/*
 * Is there room for another long answer?  At most PEER_ROOM bytes of them are
 * queued at once, and more when these have left, however long the queue is:
 * events never wait for more, and events never shut out answers.
 */
static inline bool
peer_has_room(struct peer *p)
{
	if (ipc_sent(&p->ipc) >= p->room_end)
		p->room_end = ipc_queued(&p->ipc) + PEER_ROOM;
	return ipc_queued(&p->ipc) < p->room_end;
}

/* A worker of another host, to which nothing is sent; and its end. */
struct peer *peer_new_remote(struct broker *, unsigned slot);
void peer_free_remote(struct peer *);
/* Takes an accepted connection. */
void peer_accept(struct broker *, int fd);
/*
 * Ends the link now: the worker's counts vanish, its members become suspects.
 * The struct itself lives until the end of the turn.
 */
void peer_drop(struct peer *, const char *why);
/*
 * The slot is no longer this worker's: nothing is sent to it, and the next
 * words are its last ones.
 */
void peer_detach(struct peer *);
/* Frees the links that peer_drop() has ended. */
void peer_reap(struct broker *);
/* Drops every link. */
void peer_drop_all(struct broker *);

/*
 * Sends the queued bytes of the turn, and acknowledges the events that have
 * left.
 */
void peer_flush(struct broker *);
/* See ipc_turn(). */
bool peer_turn_ends(struct broker *, bool sleeps);
/* Pings this worker; returns the id. */
uint64_t peer_ping_one(struct peer *);
/* Pings every worker; returns the id, and in *slots the pinged workers. */
uint64_t peer_ping(struct broker *, uint64_t *slots);

/*
 * A subscription was refused.  The worker may have sent UNSUB for it before it
 * read the refusal, so the refusal is remembered until the worker has answered
 * a later ping.
 */
void peer_refuse(struct peer *, uint64_t sid, struct str channel);
/* Forgets the refusal: true if there was one, so that UNSUB has no effect. */
bool peer_was_refused(struct peer *, uint64_t sid, struct str channel);

/* Forgets the refusals that the worker has read: ping `id` followed them. */
void peer_forget_refusals(struct peer *, uint64_t id);

/*
 * The present message has this number; events that follow from it carry it,
 * too.
 */
void peer_number(struct peer *, uint64_t seq);
/* The message has been handled. */
void peer_step(struct peer *);

/* Handlers of HELLO, PING, PONG. */
int peer_on_hello(struct peer *, const struct msg_hello *);
/* The slots may have become free: each HELLO that waits comes again. */
void peer_hello_again(struct broker *);
/*
 * True for the first HELLO or COURIER_HELLO of a link from a process of this
 * build; another build is logged.
 */
bool peer_may_say_hello(
    const struct peer *, uint32_t version, struct str build, uint32_t pid);
/* The connections of all workers. */
uint64_t peers_connections(const struct broker *);

int peer_on_ping(struct peer *, const struct msg_ping *);
int peer_on_pong(struct peer *, const struct msg_pong *);

#endif
