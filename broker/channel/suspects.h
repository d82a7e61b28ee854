/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CHANNEL_SUSPECTS_H
#define BROKER_CHANNEL_SUSPECTS_H

/*
 * Members without a connection.  They leave after a while unless they come
 * back: their worker or the broker died (crash_grace), or their connection with
 * a session broke (presence_grace of the app).
 */

#include <stdbool.h>
#include <stdint.h>

struct broker;
struct list;
struct member;

void suspects_init(struct broker *);
void suspects_clear(struct broker *);
/* This member of a living channel leaves at m->due. */
void suspects_add(struct broker *, struct member *);
/* The same for all of this list; they are of one app and one death. */
void suspects_add_dead(struct broker *, struct list *members);
/* The app is deleted: its suspects leave now. */
void suspects_forget_app(struct broker *, uint32_t app);
/* The replay is over: members that no worker has replayed become suspects. */
void suspects_on_live(struct broker *);
/* Handles a portion of them in each turn; true: work is left. */
bool suspects_go_on(struct broker *);

#endif
