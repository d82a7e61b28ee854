/* SPDX-License-Identifier: MIT */
#ifndef SHARED_CONF_CLUSTER_ADDR_H
#define SHARED_CONF_CLUSTER_ADDR_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/base/str.h"

#define CLUSTER_HOST_MAX 64 /* bytes of cluster_host and cluster_name */
#define CLUSTER_SERVERS 8   /* Sentinels, at most */

struct cluster_server {
	char host[254]; /* a name or an IP address */
	int port;
};

/* The value of the option `cluster`. */
struct cluster_addr {
	char path[108];  /* of the Unix socket; empty: there are servers */
	char master[65]; /* as its Sentinels call it; empty: one server */
	struct cluster_server
	    servers[CLUSTER_SERVERS]; /* Redis, or Sentinels */
	size_t nservers;
	bool tls;
	int db;
};

/* 0, or -1 and *why: the end of a sentence that begins with "must be". */
int cluster_addr_parse(
    struct cluster_addr *, struct str text, const char **why);
/* May it be the name of a host or of a cluster? */
bool cluster_name_is_valid(struct str name);

#endif
