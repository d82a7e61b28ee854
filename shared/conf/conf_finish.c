/* SPDX-License-Identifier: MIT */
/*
 * conf_finish.c: computes what follows from all options together: the number of
 * workers, valid addresses, full paths.  Only asks the system questions that it
 * answers at once (cores, current directory); the users of an address or a path
 * find out whether it can be used.  Never prints, never exits.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/cluster_addr.h"
#include "shared/conf/conf.h"
#include "shared/crypto/cert.h"
#include "shared/net/ip.h"
#include "shared/net/listen_spec.h"
#include "shared/net/sock.h"
#include "shared/net/ws_frame.h"
#include "shared/proc/cgroup.h"
#include "shared/proc/memory.h"
#include "shared/proc/proc.h"

#define LISTEN_MAX 64 /* addresses */

/* "origin: " and the sentence, which it frees. */
static int
refuse_at(const char *origin, char *sentence, char **why)
{
	*why = xasprintf("%s: %s", origin, sentence);
	free(sentence);
	return -1;
}

static int
refuse(const struct conf *c, const char *name, char *sentence, char **why)
{
	return refuse_at(conf_origin(c, name), sentence, why);
}

/* A control group may grant a part of the cores' time, and of the memory. */
static unsigned
auto_workers(const struct conf *c)
{
	unsigned cores = proc_cores(), granted = cgroup_read("").cores;

	if (granted != 0)
		cores = MIN(cores, granted);
	return MIN(cores, memory_workers(c->memory_limit, memory_available()));
}

static int
finish_workers(struct conf *c, char **why)
{
	uint64_t n;

	if (strcmp(c->workers, "auto") == 0) {
		if (c->nworkers == 0) /* else the master has counted them */
			c->nworkers = auto_workers(c);
		return 0;
	}
	if (str_to_u64(str_of(c->workers), PROC_MAX_WORKERS, &n) == -1 ||
	    n == 0)
		return refuse(c, "workers",
		    xasprintf("workers is \"%.80s\": must be a number from 1 "
			      "to %d, or auto",
			c->workers, PROC_MAX_WORKERS),
		    why);
	c->nworkers = (unsigned)n;
	return 0;
}

/* Workers that are over their share when they start would serve nobody. */
static int
finish_memory(const struct conf *c, char **why)
{
	unsigned n = strcmp(c->workers, "auto") == 0 ? 1 : c->nworkers;

	if (c->memory_limit == 0 || c->memory_limit >= memory_least(n))
		return 0;
	return refuse(c, "memory_limit",
	    xasprintf("memory_limit is %llu: must be 0, or at least %llu: 8 "
		      "MiB for each worker",
		(unsigned long long)c->memory_limit,
		(unsigned long long)memory_least(n)),
	    why);
}

/* Is it the same address twice?  Port 0 is another one each time. */
static bool
is_listed(const struct conf *c, const char *text)
{
	char other[SOCK_TEXT_MAX];

	if (str_ends(str_of(text), S(":0")))
		return false;
	for (size_t i = 0; i < c->nlisteners; i++) {
		sock_addr_text(&c->listeners[i].addr, other, sizeof(other));
		if (strcmp(other, text) == 0)
			return true;
	}
	return false;
}

/* 127.0.0.0/8 or ::1 */
static bool
is_loopback(const struct listen_spec *l)
{
	struct ip_net net[2];
	struct ip ip;

	ip_net_parse(S("127.0.0.0/8"), &net[0]);
	ip_net_parse(S("::1"), &net[1]);
	return ip_of_sock(&l->addr, &ip) && ip_nets_have(net, 2, &ip);
}

/* Does a listener have the options that it needs?  NULL, or the missing one. */
static const char *
find_need(const struct conf *c, const struct listen_spec *l)
{
	if (l->tls && c->tls_certificate.n == 0)
		return "tls needs the option tls_certificate";
	if (l->proxy_protocol && !listen_spec_is_unix(l) &&
	    c->trusted_proxies.n == 0)
		return "proxy_protocol needs the option trusted_proxies";
	if (l->role == LISTEN_CONSOLE && !l->tls && !listen_spec_is_unix(l) &&
	    !is_loopback(l) && c->trusted_proxies.n == 0)
		return "the console on an address that is not loopback needs "
		       "tls, or a proxy with TLS in trusted_proxies; or listen "
		       "on 127.0.0.1 and use ssh -L";
	return NULL;
}

static int
add_listener(struct conf *c, const char *value, const char *origin, char **why)
{
	struct listen_spec l;
	const char *need;
	char *must, *sentence, text[SOCK_TEXT_MAX];

	if (listen_spec_parse(&l, str_of(value), &must) == -1) {
		sentence = xasprintf("listen is \"%.80s\": %s", value, must);
		free(must);
		return refuse_at(origin, sentence, why);
	}
	sock_addr_text(&l.addr, text, sizeof(text));
	if (is_listed(c, text))
		return refuse_at(
		    origin, xasprintf("listen has %s twice", text), why);
	c->listeners[c->nlisteners++] = l;
	if ((need = find_need(c, &l)) == NULL)
		return 0;
	return refuse_at(
	    origin, xasprintf("listen is \"%.80s\": %s", value, need), why);
}

static int
finish_listen(struct conf *c, char **why)
{
	if (c->listen.n > LISTEN_MAX)
		return refuse(c, "listen",
		    xasprintf("listen has %zu addresses: at most %d",
			c->listen.n, LISTEN_MAX),
		    why);
	/* The same for metrics_listen. */
	c->listeners = xcalloc(c->listen.n + 1, sizeof(*c->listeners));
	for (size_t i = 0; i < c->listen.n; i++)
		if (add_listener(
			c, c->listen.v[i], c->listen.origins[i], why) == -1)
			return -1;
	return 0;
}

/* Blanks may separate networks, too. */
static int
finish_trusted(struct conf *c, char **why)
{
	const struct conf_list *l = &c->trusted_proxies;
	struct str rest, word;

	for (size_t i = 0; i < l->n; i++) {
		rest = str_of(l->v[i]);
		while (rest.p != NULL) {
			word = str_trim(str_cut(&rest, ' '));
			if (word.n == 0)
				continue;
			c->trusted = xreallocarray(
			    c->trusted, c->ntrusted + 1, sizeof(*c->trusted));
			if (ip_net_parse(word, &c->trusted[c->ntrusted++]) == 0)
				continue;
			return refuse_at(l->origins[i],
			    xasprintf("trusted_proxies has \"%.*s\": must be "
				      "addresses or networks, as in "
				      "10.0.0.0/8 or ::1",
				(int)MIN(word.n, 64), word.p),
			    why);
		}
	}
	return 0;
}

/* [a-zA-Z_:][a-zA-Z0-9_:]*, the rule of Prometheus. */
static bool
is_metric_prefix(const char *s)
{
	const char *p;

	for (p = s; *p != '\0'; p++)
		if (!(*p >= 'a' && *p <= 'z') && !(*p >= 'A' && *p <= 'Z') &&
		    *p != '_' && *p != ':' && (p == s || *p < '0' || *p > '9'))
			return false;
	return p - s <= 64;
}

static int
finish_metrics(struct conf *c, char **why)
{
	struct listen_spec *l = &c->listeners[c->nlisteners];
	char text[80];

	if (!is_metric_prefix(c->metrics_prefix))
		return refuse(c, "metrics_prefix",
		    xasprintf("metrics_prefix is \"%.80s\": must be at most 64 "
			      "letters, digits, _ and :, and not begin with a "
			      "digit",
			c->metrics_prefix),
		    why);
	if (c->metrics_listen[0] == '\0')
		return 0;
	*l = (struct listen_spec){ .role = LISTEN_METRICS };
	if (sock_addr_parse(str_of(c->metrics_listen), &l->addr) == -1)
		return refuse(c, "metrics_listen",
		    xasprintf("metrics_listen is \"%.80s\": must be an address "
			      "and a port, as in 127.0.0.1:9601, or empty",
			c->metrics_listen),
		    why);
	sock_addr_text(&l->addr, text, sizeof(text));
	if (is_listed(c, text))
		return refuse(c, "metrics_listen",
		    xasprintf("metrics_listen is %s, as is listen", text), why);
	c->nlisteners++;
	return 0;
}

/* "/ws/" becomes "/ws", "/" becomes empty. */
static int
finish_prefix(struct conf *c, char **why)
{
	size_t n = strlen(c->path_prefix);

	while (n > 0 && c->path_prefix[n - 1] == '/')
		c->path_prefix[--n] = '\0';
	if (n == 0)
		return 0;
	if (c->path_prefix[0] == '/' && strpbrk(c->path_prefix, "?#% ") == NULL)
		return 0;
	return refuse(c, "path_prefix",
	    xasprintf("path_prefix is \"%.80s\": must begin with / and have "
		      "no ?, #, %% and blanks",
		c->path_prefix),
	    why);
}

static int
finish_console(const struct conf *c, char **why)
{
	struct str url = str_of(c->console_url);

	if (url.n == 0 || str_starts(url, S("https://")) ||
	    str_starts(url, S("http://")))
		return 0;
	return refuse(c, "console_url",
	    xasprintf("console_url is \"%.80s\": must begin with https:// or "
		      "http://",
		c->console_url),
	    why);
}

char *
conf_full_path(const struct conf *c, const char *name)
{
	char *base, *path;

	if (name[0] == '/')
		return xstrdup(name);
	base = c->base != NULL ? xstrdup(c->base) : getcwd(NULL, 0);
	if (base == NULL)
		return NULL;
	path = xasprintf("%s%s%s", base, strcmp(base, "/") == 0 ? "" : "/",
	    strncmp(name, "./", 2) == 0 ? name + 2 : name);
	free(base);
	return path;
}

/* A daemon leaves the directory in which it was started. */
static int
make_absolute(struct conf *c, const char *name, char **path, char **why)
{
	char *full;

	if (**path == '\0')
		return refuse(
		    c, name, xasprintf("%s must not be empty", name), why);
	full = conf_full_path(c, *path);
	if (full == NULL || !utf8_is_valid(str_of(full))) {
		refuse(c, name,
		    xasprintf("%s is \"%s\", and the current directory is "
			      "%s: write a full path",
			name, *path, full == NULL ? "unknown" : "not UTF-8"),
		    why);
		free(full);
		return -1;
	}
	free(*path);
	*path = full;
	return 0;
}

/* A word, or the path of a file. */
static int
finish_log(struct conf *c, char **why)
{
	static const char *const words[] = { "auto", "stderr", "syslog" };

	for (size_t i = 0; i < nitems(words); i++)
		if (strcmp(c->log, words[i]) == 0)
			return 0;
	return make_absolute(c, "log", &c->log, why);
}

/* By default the outbox lies beside the database. */
static void
finish_outbox(struct conf *c)
{
	if (*c->outbox != '\0')
		return;
	free(c->outbox);
	c->outbox = xasprintf("%.*s/outbox.db",
	    (int)(strrchr(c->database, '/') - c->database), c->database);
}

/*
 * A directory that others may write into (an emptyDir of Kubernetes) is shared:
 * uses a directory in it.
 */
static void
use_own_directory(struct conf *c)
{
	char *own;
	struct stat st;

	if (stat(c->runtime_dir, &st) == -1 || !S_ISDIR(st.st_mode) ||
	    (st.st_mode & 022) == 0)
		return;
	own = xasprintf("%s/pusherd", c->runtime_dir);
	free(c->runtime_dir);
	c->runtime_dir = own;
}

static int
finish_tls(struct conf *c, char **why)
{
	size_t i;

	if (c->tls_key.n != 0 && c->tls_key.n != c->tls_certificate.n)
		return refuse(c, "tls_key",
		    xasprintf("there are %zu values of tls_key and %zu of "
			      "tls_certificate: must be as many, in the same "
			      "order, or no tls_key at all",
			c->tls_key.n, c->tls_certificate.n),
		    why);
	if (c->tls_certificate.n > CERT_MAX)
		return refuse(c, "tls_certificate",
		    xasprintf("there are %zu values of tls_certificate: at "
			      "most %d",
			c->tls_certificate.n, CERT_MAX),
		    why);
	for (i = 0; i < c->tls_certificate.n; i++)
		if (make_absolute(c, "tls_certificate",
			&c->tls_certificate.v[i], why) == -1)
			return -1;
	for (i = 0; i < c->tls_key.n; i++)
		if (make_absolute(c, "tls_key", &c->tls_key.v[i], why) == -1)
			return -1;
	return 0;
}

int
conf_finish_paths(struct conf *c, char **why)
{
	const size_t max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;

/* May be empty if it is by default. */
#define CONF_PATH(name, def, help) \
	if ((*(def) != '\0' || *c->name != '\0') && \
	    make_absolute(c, #name, &c->name, why) == -1) \
		return -1;
#define CONF_TEXT(name, def, help)
#define CONF_LIST(name, def, help)
#define CONF_UINT(name, def, min, max, help)
#define CONF_ENUM(name, def, choices, help)
#define CONF_BOOL(name, def, help)
#include "shared/conf/conf_options.def"
	if (finish_log(c, why) == -1)
		return -1;
	finish_outbox(c);
	use_own_directory(c);
	free(c->broker_path);
	free(c->control_path);
	c->broker_path = xasprintf("%s/broker.sock", c->runtime_dir);
	c->control_path = xasprintf("%s/ctl.sock", c->runtime_dir);
	if (strlen(c->broker_path) > max)
		return refuse(c, "runtime_dir",
		    xasprintf("runtime_dir is too long for a socket, %zu bytes "
			      "of at most %zu: %s",
			strlen(c->runtime_dir), max - strlen("/broker.sock"),
			c->runtime_dir),
		    why);
	if (*c->pid_file == '\0') {
		free(c->pid_file);
		c->pid_file = xasprintf("%s/pusherd.pid", c->runtime_dir);
	}
	return 0;
}

void
conf_unfinish(struct conf *c)
{
	free(c->listeners);
	free(c->trusted);
	c->listeners = NULL;
	c->trusted = NULL;
	c->nlisteners = c->ntrusted = 0;
}

static int
check_name(
    const struct conf *c, const char *option, const char *name, char **why)
{
	if (cluster_name_is_valid(str_of(name)))
		return 0;
	return refuse(c, option,
	    xasprintf("%s is \"%.80s\": must be 1 to %d characters of A-Z a-z "
		      "0-9 - _ .",
		option, name, CLUSTER_HOST_MAX),
	    why);
}

/* The name of this host is the host name if none is given. */
static int
finish_cluster(struct conf *c, char **why)
{
	struct cluster_addr addr;
	char host[CLUSTER_HOST_MAX + 1] = "";
	const char *need;

	if (*c->cluster == '\0')
		return 0;
	if (cluster_addr_parse(&addr, str_of(c->cluster), &need) == -1)
		return refuse(c, "cluster",
		    xasprintf(
			"cluster is \"%.80s\": must be %s", c->cluster, need),
		    why);
	if (*c->cluster_host == '\0' &&
	    gethostname(host, sizeof(host) - 1) == 0) {
		free(c->cluster_host);
		c->cluster_host = xstrdup(host);
	}
	if (check_name(c, "cluster_host", c->cluster_host, why) == -1)
		return -1;
	return check_name(c, "cluster_name", c->cluster_name, why);
}

int
conf_finish(struct conf *c, char **why)
{
	conf_unfinish(c);
	if (finish_workers(c, why) == -1 || finish_memory(c, why) == -1 ||
	    finish_trusted(c, why) == -1 || finish_listen(c, why) == -1 ||
	    finish_metrics(c, why) == -1 || finish_prefix(c, why) == -1 ||
	    finish_tls(c, why) == -1 || finish_console(c, why) == -1 ||
	    finish_cluster(c, why) == -1)
		return -1;
	return conf_finish_paths(c, why);
}
