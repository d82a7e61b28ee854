/* SPDX-License-Identifier: MIT */
#ifndef CLI_CMD_DOCTOR_H
#define CLI_CMD_DOCTOR_H

/* Why does my event not arrive? */

#include "cli/cmd/cmd.h"

extern const struct cmd_option cmd_doctor_options[];

int cmd_doctor(struct cmd *);

/* One sentence of the answer. */
struct doctor_row {
	const char *app, *kind; /* NULL: none */
	const char *finding, *seen, *mend;
};
void doctor_put(struct cmd *, const struct doctor_row *);
/*
 * Uses the public address as a client and as a backend do; a finding for what
 * fails, and *steps for what succeeded, in words.  free(3) it.
 */
int doctor_url(struct cmd *, const char *url, char **steps);

#endif
