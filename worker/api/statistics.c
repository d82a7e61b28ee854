/* SPDX-License-Identifier: MIT */
/*
 * statistics.c: GET /apps/{id}/stats: the counters of an app in each minute,
 * hour or day, for cards of a dashboard and for billing.  Checks the
 * parameters; the courier has the rows.
 */

#include "worker/api/statistics.h"

#include <time.h>

#include "shared/app/stats_db.h"
#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "shared/pusher/api_params.h"
#include "worker/api/ask.h"

#define TIME_MAX 253402300799u /* the year 9999 */

static bool
read_time(const struct api_request *r, const char *key, uint64_t *v)
{
	struct str text = api_params_get(r->params, str_of(key));

	if (text.p == NULL || str_to_u64(text, TIME_MAX, v) == 0)
		return true;
	api_errorf(r->c, 400,
	    "%s is a time in Unix seconds like 1767225600, not %.*s", key,
	    STR_ARG(text));
	return false;
}

static bool
read_step(const struct api_request *r, uint64_t *step)
{
	struct str text = api_params_get(r->params, S("step"));

	*step = 3600;
	if (text.p == NULL || str_eq(text, S("hour")))
		return true;
	*step = str_eq(text, S("minute")) ? 60 : 86400;
	if (*step == 60 || str_eq(text, S("day")))
		return true;
	api_errorf(
	    r->c, 400, "step is minute, hour or day, not %.*s", STR_ARG(text));
	return false;
}

static bool
read_format(const struct api_request *r, bool *csv)
{
	struct str text = api_params_get(r->params, S("format"));

	*csv = str_eq(text, S("csv"));
	if (text.p == NULL || *csv || str_eq(text, S("json")))
		return true;
	api_errorf(r->c, 400, "format is json or csv, not %.*s", STR_ARG(text));
	return false;
}

static bool
check_period(
    const struct api_request *r, uint64_t from, uint64_t to, uint64_t step)
{
	uint64_t now = (uint64_t)time(NULL);
	uint64_t n = (to - from / step * step + step - 1) / step;
	uint64_t retention = step == 60 ? STATS_DB_MINUTES : STATS_DB_HOURS;

	if (from >= to)
		api_errorf(r->c, 400, "from (%llu) has to be before to (%llu)",
		    (unsigned long long)from, (unsigned long long)to);
	else if (from + step + retention < now)
		api_errorf(r->c, 400, "from=%llu is too long ago: %s",
		    (unsigned long long)from,
		    step == 60 ? "minutes are kept for 48 hours; for a longer "
				 "time: step=hour or step=day"
			       : "statistics are kept for 395 days");
	else if (n > STATISTICS_ROWS)
		api_errorf(r->c, 400,
		    "from and to are %llu steps apart, and an answer has at "
		    "most %d rows: ask for less, or take a longer step",
		    (unsigned long long)n, STATISTICS_ROWS);
	else
		return true;
	return false;
}

void
api_statistics(const struct api_request *r)
{
	uint64_t from, to = (uint64_t)time(NULL), step;
	struct buf *period = NULL;
	bool csv;

	if (!read_step(r, &step) || !read_format(r, &csv) ||
	    !read_time(r, "to", &to))
		return;
	from = to - MIN(to, 86400);
	if (!read_time(r, "from", &from))
		return;
	if (!check_period(r, from, to, step) || !api_may_ask(r))
		return;
	from = from / step * step;
	buf_printf(&period, "%llu %llu %llu %d", (unsigned long long)from,
	    (unsigned long long)to, (unsigned long long)step, csv);
	api_ask(r, QUERY_STATISTICS, 0, buf_str(period),
	    csv ? ANSWER_CSV : ANSWER_QUERY);
	buf_unref(period);
}
