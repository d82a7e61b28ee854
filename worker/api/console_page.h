/* SPDX-License-Identifier: MIT */
#ifndef WORKER_API_CONSOLE_PAGE_H
#define WORKER_API_CONSOLE_PAGE_H

/* The files of the page, which make(1) embeds in the program. */

#include "shared/base/str.h"

struct page_file {
	const char *name; /* "app.js"; "" is the page itself */
	const char *type;
	const char *etag; /* in quotes */
	struct str plain, gzip;
};

/* worker/page/embed.sh makes them. */
extern const struct page_file page_files[];
extern const size_t page_nfiles;

#endif
