/* SPDX-License-Identifier: MIT */
#ifndef SHARED_CONF_CLUSTER_ADDR_H
#define SHARED_CONF_CLUSTER_ADDR_H

#include <stdbool.h>

#include "shared/base/str.h"

#define CLUSTER_HOST_MAX 64 /* bytes of cluster_host and cluster_name */

/* The value of the option `cluster`. */
struct cluster_addr {
	char host[64];  /* an IP address; empty: a Unix socket */
	char path[108]; /* of the Unix socket */
	int port, db;
};

/* 0, or -1 and in *why the words that are missing behind "must be". */
int cluster_addr_parse(
    struct cluster_addr *, struct str text, const char **why);
/* May it be the name of a host or of a cluster? */
bool cluster_name_is_valid(struct str name);

#endif
