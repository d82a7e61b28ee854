/* SPDX-License-Identifier: MIT */
/*
 * info.c: reads the attributes that a request asks for (`info`).  Pure.
 */

#include "worker/api/info.h"

#include "shared/base/base.h"
#include "shared/ipc/ipc_msg.h"

int
api_info_add(struct str list, uint32_t *info, struct str *unknown)
{
	static const struct {
		struct str name;
		uint32_t bit;
	} known[] = {
		{ { "user_count", 10 }, INFO_USER_COUNT },
		{ { "subscription_count", 18 }, INFO_SUBSCRIPTION_COUNT },
		{ { "cache", 5 }, INFO_CACHE },
		{ { "event_id", 8 }, INFO_EVENT_ID },
	};
	struct str part;
	size_t i;

	while (list.p != NULL) {
		part = str_trim(str_cut(&list, ','));
		if (part.n == 0)
			continue;
		for (i = 0; i < nitems(known); i++)
			if (str_eq(part, known[i].name))
				break;
		if (i == nitems(known)) {
			*unknown = part;
			return -1;
		}
		*info |= known[i].bit;
	}
	return 0;
}
