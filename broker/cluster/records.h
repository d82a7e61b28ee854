/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CLUSTER_RECORDS_H
#define BROKER_CLUSTER_RECORDS_H

/* Records of apps that are not in the database yet. */

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/list.h"
#include "shared/base/str.h"

struct app_record {
	struct list link;
	char *id;
	struct buf *text; /* NULL: the app is deleted */
};

struct app_records {
	struct list pending; /* struct app_record */
	uint64_t version;    /* of the last one, */
	uint64_t done;       /* and of the last one that is in force here */
	bool whole;          /* pending has all that there are */
	bool known;   /* those that were there at the JOIN are in force, */
	double since; /* ... for which it has waited since then */
	double asked; /* broker_now() when a process was; 0: never */
	/* Changes by this host: asked, answered; entry of the last one. */
	uint64_t nset, nanswered, set_version;
};

void app_records_init(struct app_records *);
/* In the place of an older one; text empty: the app is deleted. */
void app_records_put(struct app_records *, struct str id, struct str text);
/* Wipes and frees what is pending. */
void app_records_forget(struct app_records *);

#endif
