/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CLUSTER_JOIN_H
#define BROKER_CLUSTER_JOIN_H

/* This host joins the cluster. */

#include "broker/cluster/inside.h"

#define PLACE_TEXT 80 /* bytes */

/* Sends the own state. */
void join_begin(struct cluster *);
/* The answer to it. */
void join_on_answer(struct cluster *, const redisReply *);
/* Goes on when the state of all other hosts has come. */
void join_collect(struct cluster *);
/*
 * The number of the cluster's logs, as Redis has it; missed: the logs lack what
 * is before the present place.
 */
void join_share_logs(struct cluster *, const char *number, bool missed);
struct order_place place_make(const char *id, const char *n);
/* For a script: the id and the number of a place; empty: it is none. */
void place_text(char text[PLACE_TEXT], const struct order_place *);

#endif
