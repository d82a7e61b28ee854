/* SPDX-License-Identifier: MIT */
#ifndef BROKER_ORDER_H
#define BROKER_ORDER_H

#include "broker/app/apps.h"
#include "broker/link/peer.h"

/* The callbacks for links and for apps. */
extern const struct link_ops order_of_links;
extern const struct broker_apps_ops order_of_apps;

#endif
