/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CLUSTER_HOSTS_H
#define BROKER_CLUSTER_HOSTS_H

/*
 * The other hosts of the cluster.  Each of their workers has a slot here, and a
 * struct peer to which nothing is sent.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/hash.h"
#include "shared/base/list.h"
#include "shared/base/str.h"
#include "shared/conf/cluster_addr.h"
#include "shared/proc/proc.h"

struct broker;
struct peer;

/* The places of an app's max_connections that a host may fill. */
struct host_share {
	struct hash_node node;
	uint32_t app, n;
};

struct host {
	struct list link;
	uint64_t epoch;     /* of its broker process */
	uint64_t joined;    /* number of the entry in which it did */
	uint64_t apps;      /* their records are in force there up to here */
	uint64_t answered;  /* to all entries with a SESSION up to here */
	double beat;        /* broker_now() at its last one; 0: not known */
	uint32_t workers;   /* as it said when it joined, or this host did */
	struct hash shares; /* struct host_share, by app */
	bool known;         /* its state has been entered; else it is ignored */
	bool awaited;       /* this host joins, and waits for its state */
	uint8_t slots[PROC_MAX_WORKERS]; /* here, by its own; 0: none */
	char name[CLUSTER_HOST_MAX + 1];
};

struct hosts {
	struct list all; /* struct host */
	size_t n;
	unsigned room; /* slots of this host's own workers: [0, room) */
	struct peer *peers[PROC_MAX_WORKERS]; /* by slot */
};

void hosts_init(struct hosts *, unsigned room);
void hosts_clear(struct hosts *);
/* NULL: it is not in the cluster. */
struct host *hosts_find(const struct hosts *, struct str name);
/* A host that is new, or begins again.  name: valid. */
struct host *hosts_enter(
    struct broker *, struct hosts *, struct str name, uint64_t epoch);
/* The host is gone: so are the connections of its workers. */
void hosts_drop(struct broker *, struct hosts *, struct host *);
/* The worker in the host's slot. NULL: there is no slot for it. */
struct peer *hosts_peer(struct broker *, struct hosts *, struct host *,
    unsigned slot, uint64_t origin);
/*
 * The same for a worker of this host that is gone, but whose messages are in
 * the stream.
 */
struct peer *hosts_own_peer(
    struct broker *, struct hosts *, unsigned slot, uint64_t origin);
/* A worker is gone; slot: of this host. */
void hosts_lose_slot(struct broker *, struct hosts *, unsigned slot);
/* A worker of another host is gone; slot: of that host. */
void hosts_lose(struct broker *, struct hosts *, struct host *, unsigned slot);
/* The host's share of this app; made, with 0, if it is missing. */
struct host_share *hosts_share(struct host *, uint32_t app);
/* Those of all other hosts together. */
uint64_t hosts_shares(const struct hosts *, uint32_t app);
/* Takes the last counts off that gone workers have left. */
void hosts_settle(struct broker *);

#endif
