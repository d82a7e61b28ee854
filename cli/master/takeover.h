/* SPDX-License-Identifier: MIT */
#ifndef CLI_MASTER_TAKEOVER_H
#define CLI_MASTER_TAKEOVER_H

/*
 * The start of a program that takes the place of a running master
 * (handover.h), and the trial of it.  Functions: 0, or -1 and *why (free(3)
 * it).
 */

/* The trial's last line, with a version after it. */
#define TAKEOVER_READY "can take over: version "

struct certs;
struct conf;
struct handover;
struct listen_set;
struct master_start;
struct rundir;

/*
 * Reads what the program before this one has left.  conf holds the
 * configuration in force; start->source has to name the new one.
 */
int takeover_read(struct handover *, int fd, struct conf *conf,
    struct master_start *start, char **why);
/* A text of it (handover.h), or NULL; free(3) it. */
char *takeover_text(const struct handover *, unsigned i);
/* Its sockets and files, which stay as they are. */
void takeover_files(const struct handover *, const struct conf *,
    struct listen_set *, struct rundir *);
/* Its certificates: read again, and if they are bad now, as they were. */
int takeover_certs(struct certs *, const struct conf *, char **why);
/*
 * Would a start with the files and the environment of today work, and with
 * the options that cannot change while the server runs?  Changes nothing.
 */
int takeover_check_conf(
    const struct conf *live, const struct master_start *, char **why);

#endif
