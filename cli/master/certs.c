/* SPDX-License-Identifier: MIT */
/*
 * certs.c: reads certificates and keys from their files, tests them by making a
 * worker's contexts, and publishes them to the workers.  Owns the shared
 * memory.  Polls the files, because the programs that write certificates
 * (certbot, a person, an orchestrator) need not notify the server.  A change
 * counts when two polls have seen the same, so that an incomplete file, or a
 * pair of which one half is new, is left alone.  Must never log a byte of a
 * key.
 */

#include "cli/master/certs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/crypto/tls_set.h"
#include "shared/crypto/tls_store.h"

#define LOOK_MS 2000 /* ms between two polls of the files */
#define WARN_DAYS 21 /* before a certificate expires: once a day */
#define MS_PER_S 1000

/* ---- reading ---- */

/* The whole file; NULL with errno (EFBIG: more than CERT_FILE_MAX). */
static struct buf *
read_file(const char *path)
{
	struct buf *b = buf_new(CERT_FILE_MAX + 1);
	int fd, saved = EFBIG;
	ssize_t n = -1;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd == -1) {
		saved = errno;
	} else {
		while ((n = read(fd, b->data + b->len, buf_room(b))) > 0)
			b->len += (uint32_t)n;
		if (n == -1)
			saved = errno;
		close(fd);
	}
	if (n == 0 && b->len <= CERT_FILE_MAX)
		return b;
	tls_bundle_free(b);
	errno = saved;
	return NULL;
}

static const char *
key_path(const struct conf *conf, size_t i)
{
	return conf->tls_key.n == 0 ? conf->tls_certificate.v[i]
				    : conf->tls_key.v[i];
}

static int
refuse_file(const char *option, const char *path, char **why)
{
	*why = xasprintf("%s: cannot read %s: %s%s", option, path,
	    strerror(errno),
	    errno == EACCES ? ": it must be readable for the user of pusherd"
			    : "");
	return -1;
}

static int
read_pair(struct buf **bundle, const struct conf *conf, size_t i, char **why)
{
	struct buf *cert = read_file(conf->tls_certificate.v[i]), *key;
	int r = 0;

	if (cert == NULL)
		return refuse_file(
		    "tls_certificate", conf->tls_certificate.v[i], why);
	key = read_file(key_path(conf, i));
	if (key == NULL)
		r = refuse_file("tls_key", key_path(conf, i), why);
	else
		tls_bundle_add(bundle, buf_str(cert), buf_str(key));
	tls_bundle_free(cert);
	tls_bundle_free(key);
	return r;
}

/* Makes a worker's contexts as a test. */
static int
check(struct certs_loaded *l, const struct conf *conf, char **why)
{
	struct tls_home home = { .set = NULL };
	char *reason;
	int which;

	if (l->bundle->len > TLS_BUNDLE_MAX) {
		*why = xasprintf("tls_certificate: all files together have %u "
				 "bytes: at most %u",
		    l->bundle->len, TLS_BUNDLE_MAX);
		return -1;
	}
	home.set = tls_set_new(&home, buf_str(l->bundle), &which, &reason);
	if (home.set == NULL) {
		if (which == -1)
			*why = xasprintf("tls: %s", reason);
		else if (conf->tls_key.n == 0)
			*why = xasprintf("tls_certificate %s: %s",
			    conf->tls_certificate.v[which], reason);
		else
			*why = xasprintf("tls_certificate %s with tls_key %s: "
					 "%s",
			    conf->tls_certificate.v[which],
			    conf->tls_key.v[which], reason);
		free(reason);
		return -1;
	}
	l->n = tls_set_info(home.set, l->info);
	tls_set_free(home.set);
	return 0;
}

int
certs_load(struct certs_loaded *l, const struct conf *conf, char **why)
{
	int r = 0;

	*l = (struct certs_loaded){ .bundle = NULL };
	if (conf->tls_certificate.n == 0)
		return 0;
	tls_bundle_init(&l->bundle, strcmp(conf->tls_min_version, "1.3") == 0,
	    str_of(conf->tls_ciphers));
	for (size_t i = 0; r == 0 && i < conf->tls_certificate.n; i++)
		r = read_pair(&l->bundle, conf, i, why);
	if (r == 0)
		r = check(l, conf, why);
	if (r == -1)
		certs_forget(l);
	return r;
}

void
certs_forget(struct certs_loaded *l)
{
	tls_bundle_free(l->bundle);
	l->bundle = NULL;
	l->n = 0;
}

/* ---- what the files look like ---- */

static uint64_t
mix(uint64_t h, uint64_t v)
{
	return (h ^ v) * UINT64_C(0x9e3779b97f4a7c15) + (h >> 29);
}

static uint64_t
look_at(uint64_t h, const char *path)
{
	struct stat st;

	if (stat(path, &st) == -1)
		return mix(h, (uint64_t)errno);
	h = mix(h, (uint64_t)st.st_ino);
	h = mix(h, (uint64_t)st.st_size);
	h = mix(h, (uint64_t)st.st_mtim.tv_sec);
	return mix(h, (uint64_t)st.st_mtim.tv_nsec);
}

/* A number that changes when any of the files does. */
static uint64_t
look(const struct conf *conf)
{
	uint64_t h = 1;

	for (size_t i = 0; i < conf->tls_certificate.n; i++)
		h = look_at(h, conf->tls_certificate.v[i]);
	for (size_t i = 0; i < conf->tls_key.n; i++)
		h = look_at(h, conf->tls_key.v[i]);
	return h;
}

/* ---- publishing ---- */

static const struct cert_info *
first_to_expire(const struct cert_info *v, size_t n)
{
	const struct cert_info *first = NULL;

	for (size_t i = 0; i < n; i++)
		if (first == NULL || v[i].expires < first->expires)
			first = &v[i];
	return first;
}

/* Once a day near the end; the service continues all the same. */
static void
warn_of_expiry(struct certs *c)
{
	struct cert_info all[CERT_MAX] = { 0 };
	const struct cert_info *f =
	    first_to_expire(all, cert_board_get(c->board, all));
	int64_t days;

	if (f == NULL)
		return;
	days = cert_days_left(f, (int64_t)time(NULL));
	if (days > WARN_DAYS) {
		c->warned_day = INT64_MAX;
		return;
	}
	if (days >= c->warned_day)
		return;
	c->warned_day = days;
	if (days < 0)
		log_warnx("the certificate of %s has expired: clients will "
			  "refuse it",
		    f->name);
	else
		log_warnx("the certificate of %s expires in %lld day%s",
		    f->name, (long long)days, days == 1 ? "" : "s");
}

void
certs_publish(
    struct certs *c, const struct certs_loaded *l, const struct conf *conf)
{
	c->loaded = c->tried = c->seen = look(conf);
	c->warned_day = INT64_MAX;
	cert_board_put(c->board, l->info, l->n);
	if (l->bundle != NULL) /* its size has been checked */
		tls_store_put(c->store, buf_str(l->bundle));
}

int
certs_map(struct certs *c, char **why)
{
	*c = (struct certs){ .warned_day = INT64_MAX };
	/* Also without TLS: a reload may bring it. */
	c->store = tls_store_map();
	c->board = cert_board_map();
	if (c->store != NULL && c->board != NULL)
		return 0;
	*why = xasprintf("no memory for certificates: %s", strerror(errno));
	return -1;
}

int
certs_open(struct certs *c, const struct conf *conf, char **why)
{
	struct certs_loaded l;

	if (certs_load(&l, conf, why) == -1)
		return -1;
	if (certs_map(c, why) == -1) {
		certs_forget(&l);
		return -1;
	}
	tls_store_rotate(c->store);
	certs_publish(c, &l, conf);
	certs_forget(&l);
	return 0;
}

/* The files have changed, and two polls have seen the same. */
static void
read_again(struct certs *c, const struct conf *conf)
{
	const struct cert_info *f;
	struct certs_loaded l;
	char *why;

	c->tried = c->seen;
	if (certs_load(&l, conf, &why) == -1) {
		log_warnx("the certificates are not replaced: %s", why);
		free(why);
		return;
	}
	certs_publish(c, &l, conf);
	if ((f = first_to_expire(l.info, l.n)) != NULL)
		log_info("certificates read again: %zu, the first to expire is "
			 "that of %s in %lld days sha256=%s",
		    l.n, f->name,
		    (long long)cert_days_left(f, (int64_t)time(NULL)),
		    f->fingerprint);
	certs_forget(&l);
}

void
certs_tick(struct certs *c, const struct conf *conf, uint64_t now_ms)
{
	uint64_t now;

	if (c->store == NULL || conf->tls_certificate.n == 0 ||
	    now_ms < c->look_ms + LOOK_MS)
		return;
	c->look_ms = now_ms;
	if (c->rotate_ms == 0)
		c->rotate_ms = now_ms;
	if (now_ms >= c->rotate_ms + (uint64_t)TLS_TICKET_SECONDS * MS_PER_S) {
		c->rotate_ms = now_ms;
		tls_store_rotate(c->store);
	}
	now = look(conf);
	if (now == c->seen && now != c->loaded && now != c->tried)
		read_again(c, conf);
	c->seen = now;
	warn_of_expiry(c);
}

void
certs_close(struct certs *c)
{
	tls_store_unmap(c->store);
	c->store = NULL;
}
