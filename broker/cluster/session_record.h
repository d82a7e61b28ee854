/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CLUSTER_SESSION_RECORD_H
#define BROKER_CLUSTER_SESSION_RECORD_H

/* A resumable session as a message, from the host that has it to another. */

#include <stdbool.h>
#include <stdint.h>

#include "broker/log/resume.h"
#include "shared/base/buf.h"
#include "shared/ipc/ipc_msg.h"

struct replay;

/* The message, and the bytes to which it points. */
struct session_record {
	struct msg_host_session m;
	char id[SESSION_ID_MAX];
	uint64_t sids[SESSION_SIDS];
	struct buf *channels; /* the caller's */
};

/*
 * How far the client has come in each channel, with what it has confirmed up
 * to now.  m.entry is 0, and m.host empty.
 */
void session_record_get(struct session_record *, const struct resumes *,
    const struct resume_session *);
/* Without its channels: the client gets a gap in each. */
void session_record_shorten(struct session_record *);
/*
 * The session is here from now on, without a connection.  app: the number that
 * m->app has here; peer: of the client.  False: it is here already, there is no
 * room or no log, or the message is not sound.
 */
bool session_record_take(struct replay *, const struct msg_host_session *m,
    uint32_t app, uint32_t peer);

#endif
