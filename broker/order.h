/* SPDX-License-Identifier: MIT */
#ifndef BROKER_ORDER_H
#define BROKER_ORDER_H

#include "broker/app/apps.h"
#include "broker/link/peer.h"

/* The callbacks for links, for apps and for channels. */
extern const struct link_ops order_of_links;
extern const struct broker_apps_ops order_of_apps;
struct channel_events order_of_channels(void);

#endif
