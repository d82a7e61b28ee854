/* SPDX-License-Identifier: MIT */
/*
 * pusher_errors.c: the table of pusher_errors.def: the text of a code, whether
 * it closes, and the reaction of clients.  Pure, constant.  Must never hold a
 * rule about when a code is sent: that is the sender's.
 */

#include "shared/pusher/pusher_errors.h"

#include "shared/base/base.h"

static const struct pusher_error_info infos[] = {
#define PUSHER_ERROR(name, code, closes, clients, text) \
	{ (code), (closes), PUSHER_CLIENTS_##clients, \
		{ (text), sizeof(text) - 1 } },
#include "shared/pusher/pusher_errors.def"
};

const struct pusher_error_info *
pusher_error_find(unsigned code)
{
	size_t i;

	for (i = 0; i < nitems(infos); i++)
		if (infos[i].code == code)
			return &infos[i];
	return NULL;
}

struct str
pusher_error_text(unsigned code)
{
	const struct pusher_error_info *info = pusher_error_find(code);

	return info == NULL ? S("") : info->text;
}
