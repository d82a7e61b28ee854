/* SPDX-License-Identifier: MIT */
/*
 * page_metrics.c: the page about the metrics (etc/doc/metrics.md), from the
 * table that GET /metrics uses.  Knows no metric by name.  Writes only to the
 * given stream.
 */

#include "cli/cmd/page.h"
#include "shared/base/base.h"
#include "shared/proc/stats.h"

static const char head[] =
    "# Metrics\n"
    "\n"
    "<!-- Generated from shared/proc/stats.def by `make pages`. -->\n"
    "\n"
    "`GET /metrics` on the address of the option `metrics_listen` "
    "(127.0.0.1:9601; empty = none) gives the text format\n"
    "of Prometheus, version 0.0.4. Any worker answers, for all processes: one "
    "scrape is enough.\n"
    "\n"
    "* Names begin with the option `metrics_prefix` (`pusherd_`).\n"
    "* Gauges have the values of the moment of the scrape: every worker is "
    "asked. A worker that does not answer within a second\n"
    "  appears with its last values; one that is down has "
    "`worker_up` 0 and no gauges.\n"
    "* Counters begin at zero when the broker process starts "
    "(`broker_start_time_seconds`); `rate()` and `increase()` allow for\n"
    "  that. When a worker dies, at most the counts of its last second are "
    "missing.\n"
    "* Labels: `app` is an app's id, `worker` a slot from 0, `code` a "
    "WebSocket close code. No label names a channel,\n"
    "  because the number of channels has no bound.\n"
    "* `certificate` is the place in `tls_certificate`, from 0, `name` the "
    "first "
    "name that it is for. Without TLS there are no\n"
    "  such series.\n"
    "* The series of an app end when it is deleted.\n"
    "\n"
    "In `prometheus.yml`:\n"
    "\n"
    "```yaml\n"
    "scrape_configs:\n"
    "  - job_name: pusherd\n"
    "    static_configs:\n"
    "      - targets: ['127.0.0.1:9601']\n"
    "```\n"
    "\n"
    "Alert rules are in `etc/prometheus/pusherd.rules.yml`, a board for "
    "Grafana in `etc/grafana/pusherd.json`.\n";

static const struct {
	const char *title;
	enum metric_scope first, second, third;
} sections[] = {
	{ "Apps", METRIC_APP, METRIC_APP_NOW, METRIC_APP_HIST },
	{ "Workers", METRIC_WORKER, METRIC_GAUGE, METRIC_LINK },
	{ "Histograms of workers", METRIC_HIST, METRIC_HIST, METRIC_HIST },
	{ "Connections by close code", METRIC_CODES, METRIC_CODES,
	    METRIC_CODES },
	{ "Broker and webhooks", METRIC_BROKER, METRIC_BROKER_HIST,
	    METRIC_BROKER },
	{ "Certificates", METRIC_CERT, METRIC_CERT, METRIC_CERT },
	{ "The names of soketi, with `metrics_soketi_names on`", METRIC_ALIAS,
	    METRIC_ALIAS, METRIC_ALIAS },
};

/* The labels of a family, in words. */
static void
print_labels(FILE *f, size_t i)
{
	const struct metric *m = &stats_metrics[i];
	const char *own = "";

	switch (m->scope) {
	case METRIC_APP:
	case METRIC_APP_NOW:
	case METRIC_APP_HIST:
		own = "`app`";
		break;
	case METRIC_ALIAS:
		own = "`app_id`, `port`";
		break;
	case METRIC_CERT:
		own = "`certificate`, `name`";
		break;
	case METRIC_CODES: /* its label is in the table */
	case METRIC_BROKER:
	case METRIC_BROKER_HIST:
		break;
	default:
		own = "`worker`";
	}
	fputs(own, f);
	for (; m->label[0] != '\0'; m = &stats_metrics[++i]) {
		fprintf(f, "%s`%s`", own[0] == '\0' ? "" : ", ", m->label);
		own = "x";
		if (i + 1 == stats_nmetrics || stats_begins_family(i + 1))
			break;
	}
}

static void
print_family(FILE *f, size_t i)
{
	const struct metric *m = &stats_metrics[i];

	fprintf(f, "| `%s%s` | %s | ",
	    m->scope == METRIC_ALIAS ? "soketi_" : "", m->name, stats_type(m));
	print_labels(f, i);
	fprintf(f, " | %s |\n", m->help);
}

void
page_print_metrics(FILE *f)
{
	size_t s, i;

	fputs(head, f);
	for (s = 0; s < nitems(sections); s++) {
		fprintf(f,
		    "\n## %s\n\n| name | type | labels | meaning |\n"
		    "| --- | --- | --- | --- |\n",
		    sections[s].title);
		if (sections[s].first == METRIC_BROKER)
			fputs("| `build_info` | gauge | `version` | Always 1; "
			      "the label says the version |\n",
			    f);
		for (i = 0; i < stats_nmetrics; i++) {
			enum metric_scope scope = stats_metrics[i].scope;

			if (stats_begins_family(i) &&
			    (scope == sections[s].first ||
				scope == sections[s].second ||
				scope == sections[s].third))
				print_family(f, i);
		}
	}
	fputs("\n## Close codes\n\n| code | meaning |\n| --- | --- |\n", f);
	for (i = 0; i < STATS_NCODES; i++)
		fprintf(f, "| %s | %s |\n", stats_code_name((enum stats_code)i),
		    stats_code_text((enum stats_code)i));
}
