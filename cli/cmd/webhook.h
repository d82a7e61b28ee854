/* SPDX-License-Identifier: MIT */
#ifndef CLI_CMD_WEBHOOK_H
#define CLI_CMD_WEBHOOK_H

/* Shared by the two files of the webhook commands. */

#include "cli/cmd/cmd.h"
#include "shared/pusher/webhook.h"

/* The app of an endpoint; free(3) id. */
struct webhook_owner {
	uint32_t num;
	char *id;
	bool allow_private; /* the app's webhook_allow_private */
};

/*
 * The number of a webhook that is there, in the app to which the call may be
 * limited: CMD_OK, or another code after a message.
 */
int cmd_webhook_number(const struct cmd *, const char *text, uint32_t *num);
/* The answer of a command that has one number. */
void cmd_webhook_put_number(const struct cmd *, const char *key, uint64_t);

/*
 * Warns of an address to which the courier will refuse to connect; allowed: the
 * app's webhook_allow_private.
 */
void cmd_webhook_warn(const struct cmd *, const struct webhook *, bool allowed);

struct outbox;
/* CMD_OK with NULL when there is no outbox yet; or CMD_FAILED. */
int cmd_webhook_outbox(const struct cmd *, struct outbox **);

extern const struct cmd_option cmd_webhook_add_options[];
extern const struct cmd_option cmd_webhook_set_options[];
extern const struct cmd_option cmd_webhook_show_options[];
extern const struct cmd_option cmd_webhook_deliveries_options[];
extern const struct cmd_option cmd_webhook_purge_options[];

int cmd_webhook_add(struct cmd *);
int cmd_webhook_list(struct cmd *);
int cmd_webhook_show(struct cmd *);
int cmd_webhook_set(struct cmd *);
int cmd_webhook_remove(struct cmd *);
int cmd_webhook_test(struct cmd *);
int cmd_webhook_deliveries(struct cmd *);
int cmd_webhook_retry(struct cmd *);
int cmd_webhook_purge(struct cmd *);
int cmd_verify_webhook(struct cmd *);

#endif
