/* SPDX-License-Identifier: MIT */
#ifndef WORKER_LINK_LINK_H
#define WORKER_LINK_LINK_H

/*
 * The link to the broker: connects, says HELLO, checks that the broker lives,
 * and connects again after its death.  It knows no messages except its own:
 * link_handler reacts when a broker comes or goes.
 */

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/base/newest.h"
#include "shared/ipc/ipc.h"
#include "worker/app/apps.h"

struct worker;

enum link_state {
	LINK_DOWN,    /* no broker; tried again soon */
	LINK_FILLING, /* said HELLO; the apps are coming */
	LINK_UP
};

struct link_handler {
	const ipc_handler *handlers; /* of the broker's messages */
	/* A broker is connected, before or after HELLO. */
	void (*hello)(struct worker *);
	void (*replay)(struct worker *);
	/*
	 * The broker has sent every app and serves.  dropped: it is the same
	 * one as before, and has discarded the messages that were queued for
	 * this worker.
	 */
	void (*up)(struct worker *, bool dropped);
	/* The link is gone. */
	void (*lost)(struct worker *);
};

/* When the broker is woken for what is sent to it. */
struct link_wake {
	uint64_t flushed; /* messages, by the last flush */
	uint64_t patient; /* of the messages since then; see link_may_wait() */
	bool asleep;      /* link_flush_later() has left the broker asleep */
	bool owed;        /* patient messages were sent since the last wake */
	uint64_t late_us; /* when it was last woken for patient messages */
	ev_timer timer;   /* begins the turn that wakes it, if no client does */
};

struct link {
	struct ipc ipc;
	const struct link_handler *ops;
	struct ipc_ops ipc_ops; /* made of them */
	enum link_state state;
	bool alone;  /* all clients of the host are here; the broker's word */
	bool away;   /* the host is not in its cluster: no event is taken */
	bool leaves; /* ... and will not be: no client is taken */
	bool lacks_apps;  /* some of the cluster's apps may not be known yet */
	const char *lost; /* why, while that has not been logged */
	ev_timer retry;
	uint64_t broker;     /* the process at the other end; 0: none yet */
	uint64_t origin;     /* random; names this process in what it sends */
	double down_at;      /* worker_now() when the last broker was lost */
	uint64_t replay_ms;  /* until then a replay waits; 0: there is none */
	uint64_t replay_end; /* its end, in the stream to the broker */
	struct newest seen;  /* events */
	unsigned silent;     /* pings without a message of the broker */
	uint64_t nin;        /* ipc.nin at the last ping */
	uint64_t ping;       /* id of the last one */
	ev_timer pinger;
	struct link_wake wake;
	struct failure_budget failures; /* of no app; see failure.h */
	uint32_t failed_at, nfailed;    /* of all: the second, how many */
};

/* Connects, or tries it until there is a broker. */
void link_init(struct worker *);
void link_free(struct worker *);
/* Goes on with the link of another process: its socket, its ring or NULL. */
void link_adopt(
    struct worker *, int fd, struct memring *, const struct msg_move_link *);
/* The values that link_adopt() needs; the rest is the caller's. */
struct msg_move_link link_state(struct worker *);
/* The events that another worker has received have been received here, too. */
void link_saw(struct worker *, const struct msg_move_link *);
/* It is another process's from now on. */
void link_let_go(struct worker *);
/* A socket to the broker from the master, or -1. */
void link_take(void *worker, int fd);
/*
 * Sends the messages that this turn has queued to the broker.  If all of them
 * may wait, link_turn_ends() wakes it for them, at most every 0.4 ms.
 */
void link_flush(struct worker *);
/*
 * The same, but the broker is not woken before the next link_flush(), which
 * must come without a sleep.  False: it is nothing, and link_flush() is due:
 * few messages are queued, or the broker has been left asleep before.
 */
bool link_flush_later(struct worker *);
void link_turn_ends(struct worker *);
/* The broker may see the message just queued a little later. */
static inline void
link_may_wait(struct link *l)
{
	l->wake.patient++;
}
/*
 * Between the parts of a replay: while much of it is queued, gives it to the
 * broker, and waits a little for it.
 */
void link_replay_room(struct worker *);
/* The bytes of the replay that are queued. */
size_t link_replay_left(const struct worker *);
/* Can messages be sent?  There is a broker, or will be soon. */
bool link_is_open(const struct worker *);
/* Has the broker answered?  Then it serves. */
bool link_is_up(const struct worker *);
/* May events be published?  The broker serves, and so does the cluster. */
bool link_takes_events(const struct worker *);
/*
 * May a client event be delivered before the broker has it?  No other worker
 * has clients, and all that is queued leaves before a client is written.
 */
bool link_is_alone(const struct worker *);
/* Handler of ALONE. */
int link_on_alone(struct worker *, const struct msg_alone *);
/* Handler of CLUSTER. */
int link_on_cluster(struct worker *, const struct msg_cluster *);
/* The bytes that are queued for the broker. */
size_t link_queued(const struct worker *);
/* The bytes that this broker has sent. */
uint64_t link_bytes_in(const struct worker *);
/* Is a message with this number new here, or did an earlier broker send it? */
bool link_is_new(struct worker *, uint64_t origin, uint64_t seq);
/*
 * No message has come, for the clients of now: Redis has lost some, and they
 * come again behind others.
 */
void link_forget(struct worker *);

/* Handlers of APPS_DONE, PING, PONG. */
int link_on_apps_done(struct worker *, const struct msg_apps_done *);
int link_on_ping(struct worker *, const struct msg_ping *);
int link_on_pong(struct worker *, const struct msg_pong *);

struct ipc *link_ipc(struct worker *); /* NULL: the link is down */

/*
 * link_send_query(w, &msg): queues a copy; does nothing while the link is
 * down.  Numbered messages go through worker/link/unacked.h.
 */
#define MSG(name, NAME, sender) \
	static inline void link_send_##name( \
	    struct worker *w, const struct msg_##name *m) \
	{ \
		struct ipc *ipc = link_ipc(w); \
		if (ipc != NULL) \
			ipc_send_##name(ipc, m); \
	}
#include "shared/ipc/ipc_msgs.def"

#endif
