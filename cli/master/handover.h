/* SPDX-License-Identifier: MIT */
#ifndef CLI_MASTER_HANDOVER_H
#define CLI_MASTER_HANDOVER_H

/*
 * The state that a master leaves for the program that takes its place by
 * exec(2), as bytes in memory without a name.  Descriptors keep their numbers.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/shm.h"
#include "shared/base/str.h"
#include "shared/net/sock.h"
#include "shared/proc/proc.h"

struct master;

/* The texts, which come last. */
enum {
	TEXT_CONF,    /* conf_dump() */
	TEXT_BASE,    /* struct source; as the others: empty for none */
	TEXT_PROGRAM, /* the path of the one that reads this */
	TEXT_WRITER,  /* the path of the one that has written it */
	TEXT_REASON,  /* struct upgrade */
	HANDOVER_TEXTS
};

/* As struct master_start and struct master. */
struct handover_body {
	int32_t lock_fd, pid_fd, broker_fd, control_fd, stderr_fd;
	int32_t life[2];
	int32_t back_fd; /* struct upgrade */
	uint8_t foreground, steered, hidden, is_back;
	uint32_t listen_last_id;
	uint64_t last_order;
	uint64_t request, began_ms; /* struct upgrade */
	uint32_t nchildren, nplaces, nareas, nlingering;
	uint32_t text_bytes[HANDOVER_TEXTS];
};

/* The fields of struct child that the next program needs. */
#define HANDOVER_CHILD(FIELD) \
	FIELD(int32_t, pid) \
	FIELD(int32_t, ready_fd) \
	FIELD(int32_t, link_fd) \
	FIELD(uint32_t, room) \
	FIELD(uint64_t, started_ms) \
	FIELD(uint8_t, ready) \
	FIELD(uint8_t, tell_link) \
	FIELD(uint8_t, old)

#define FIELD(type, name) type name;
struct handover_child {
	HANDOVER_CHILD(FIELD)
};
#undef FIELD

/* As struct lingering. */
struct handover_lingering {
	int64_t pid;
	uint64_t until_ms;
};

/* As struct listener_place. */
struct handover_place {
	struct sock_addr wanted, addr;
	uint32_t id, mode, role, nfds;
	uint8_t is_metrics, shared, foreign;
	int32_t fds[PROC_MAX_WORKERS];
};

/* A view of bytes that were read. */
struct handover {
	char *bytes;
	const struct handover_body *body;
	const struct handover_child *children;
	const struct handover_place *places;
	const struct shm_area *areas;
	const struct handover_lingering *lingering;
	struct str version; /* of the program before */
	struct str text[HANDOVER_TEXTS];
};

/* A descriptor with all of it, or -1 with errno. */
int handover_write(const struct master *);
/*
 * 0, or -1 and *why (free(3) it): it is damaged, or of another state version.
 */
int handover_read(struct handover *, int fd, char **why);
void handover_free(struct handover *);
/*
 * Whether the descriptors in it stay open in the next exec(2).  0, or -1 with
 * errno: one of them is not open.
 */
int handover_keep(const struct handover *, bool keep);

#endif
