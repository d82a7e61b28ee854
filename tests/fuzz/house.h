/* SPDX-License-Identifier: MIT */
#ifndef TESTS_FUZZ_HOUSE_H
#define TESTS_FUZZ_HOUSE_H

/*
 * A worker with up to four clients, each at the other end of a socket pair,
 * and what they say: WebSocket upgrades, signed subscriptions, sign-ins and
 * API requests.  Include it behind fuzz.h.
 */

#include <time.h>

#include "shared/json/json_write.h"
#include "tests/unit/worker/rig.h"
#include "worker/admin/drain.h"
#include "worker/api/retry.h"
#include "worker/conn/http_conn.h"
#include "worker/conn/input.h"
#include "worker/conn/output.h"
#include "worker/conn/ws.h"
#include "worker/link/cache_replica.h"
#include "worker/link/link.h"

#define CLIENTS 4

struct house {
	struct rig r; /* its r.fd is not used */
	struct sign_key *sign;
	int fd[CLIENTS];
	uint64_t sid[CLIENTS];
	bool ws[CLIENTS];
	void (*turn)(struct house *);
};

static const char *const house_channels[] = { "room", "private-a", "presence-x",
	"presence-cache-y", "cache-z", "private-encrypted-e", "private-cache-c",
	"presence-z" };
static const char *const house_users[] = { "{\"user_id\":\"ann\"}",
	"{\"user_id\":\"bob\",\"user_info\":{\"n\":1}}",
	"{\"user_id\":3,\"user_info\":[\"\\u00e9\"]}" };
static const char *const house_signins[] = {
	"{\"id\":\"ann\",\"watchlist\":[\"bob\",\"cy\"]}",
	"{\"id\":\"bob\",\"watchlist\":[\"ann\"]}", "{\"id\":\"cy\"}"
};

/* Throws away what the client was sent. */
static inline void
house_hear(struct house *h, unsigned i)
{
	char bytes[65536];
	ssize_t n;

	while (h->fd[i] != -1 &&
	    (n = recv(h->fd[i], bytes, sizeof(bytes), MSG_DONTWAIT)) >= 0) {
		if (n > 0)
			continue;
		close(h->fd[i]); /* the server has closed */
		h->fd[i] = -1;
	}
}

/* One turn of the worker alone. */
static inline void
house_worker_turn(struct worker *w)
{
	ev_run(w->loop, EVRUN_NOWAIT);
	link_flush(w);
	unacked_release(w);
	ws_turn(w);
	input_run(w);
	output_flush(w);
	conn_reap(w);
	link_flush(w);
	unacked_release(w);
}

static inline void
house_turn(struct house *h)
{
	h->turn(h);
	for (unsigned i = 0; i < CLIENTS; i++)
		house_hear(h, i);
}

static inline void
house_bytes(struct house *h, unsigned i, struct str s)
{
	if (h->fd[i] == -1)
		return;
	if (send(h->fd[i], s.p, s.n, MSG_DONTWAIT | MSG_NOSIGNAL) == -1)
		house_hear(h, i);
	house_turn(h);
}

static inline void
house_hang_up(struct house *h, unsigned i)
{
	if (h->fd[i] != -1)
		close(h->fd[i]);
	h->fd[i] = -1;
	h->ws[i] = false;
	house_turn(h);
}

static inline void
house_connect(struct house *h, unsigned i)
{
	int fds[2];

	house_hang_up(h, i);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(sock_set_nonblock(fds[1]), 0);
	h->fd[i] = fds[0];
	h->sid[i] = conn_sid(input_open(&h->r.w, fds[1], &http_ops));
}

/* A client that speaks WebSocket. */
static inline void
house_upgrade(struct house *h, unsigned i)
{
	if (h->fd[i] != -1 && h->ws[i])
		return;
	house_connect(h, i);
	h->ws[i] = true;
	house_bytes(h, i,
	    S("GET /app/" RIG_KEY "?protocol=7 HTTP/1.1\r\nHost: x\r\n"
	      "Upgrade: websocket\r\nConnection: Upgrade\r\n"
	      "Sec-WebSocket-Version: 13\r\n"
	      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"));
}

static inline void
house_text(struct house *h, unsigned i, struct str text)
{
	struct buf *b = NULL;

	house_upgrade(h, i);
	rig_frame(&b, true, WS_TEXT, text);
	house_bytes(h, i, buf_str(b));
	buf_unref(b);
}

/* "KEY:HEX" of the socket id and the rest. */
static inline void
house_sign(struct house *h, unsigned i, struct str rest, char out[128])
{
	char sid[SOCKET_ID_MAX], hex[SIGN_HEX_LEN + 1];
	unsigned char mac[SIGN_SHA256_LEN];
	struct str parts[2];

	socket_id_text(h->sid[i], sid);
	parts[0] = str_of(sid);
	parts[1] = rest;
	sign_hmac(h->sign, parts, 2, mac);
	str_hex(mac, sizeof(mac), hex);
	snprintf(out, 128, "%s:%s", RIG_KEY, hex);
}

/* With the right signature; data may be empty. */
static inline void
house_subscribe(
    struct house *h, unsigned i, struct str channel, struct str data)
{
	struct buf *rest = NULL, *b = NULL;
	char auth[128];

	house_upgrade(h, i);
	buf_putc(&rest, ':');
	buf_append(&rest, channel);
	if (data.n > 0)
		buf_putc(&rest, ':');
	buf_append(&rest, data);
	house_sign(h, i, buf_str(rest), auth);
	buf_append(
	    &b, S("{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":"));
	json_quote(&b, channel);
	buf_printf(&b, ",\"auth\":\"%s\"", auth);
	if (data.n > 0) {
		buf_append(&b, S(",\"channel_data\":"));
		json_quote(&b, data);
	}
	buf_append(&b, S("}}"));
	house_text(h, i, buf_str(b));
	buf_unref(b);
	buf_unref(rest);
}

static inline void
house_signin(struct house *h, unsigned i, struct str user_data)
{
	struct buf *rest = NULL, *b = NULL;
	char auth[128];

	house_upgrade(h, i);
	buf_append(&rest, S("::user::"));
	buf_append(&rest, user_data);
	house_sign(h, i, buf_str(rest), auth);
	buf_printf(&b,
	    "{\"event\":\"pusher:signin\",\"data\":{\"auth\":\"%s\","
	    "\"user_data\":",
	    auth);
	json_quote(&b, user_data);
	buf_append(&b, S("}}"));
	house_text(h, i, buf_str(b));
	buf_unref(b);
	buf_unref(rest);
}

/* {"event":"<event>","channel":"<channel>","data":<data>} */
static inline void
house_event(struct house *h, unsigned i, struct str event, struct str channel,
    struct str data)
{
	struct buf *b = NULL;

	buf_append(&b, S("{\"event\":"));
	json_quote(&b, event);
	buf_append(&b, S(",\"channel\":"));
	json_quote(&b, channel);
	buf_append(&b, S(",\"data\":"));
	buf_append(&b, data);
	buf_putc(&b, '}');
	house_text(h, i, buf_str(b));
	buf_unref(b);
}

/* A signed request to the API; path without the app. */
static inline void
house_api(struct house *h, unsigned i, const char *method, const char *path,
    struct str body)
{
	char md5[SIGN_MD5_HEX_LEN + 1], hex[SIGN_HEX_LEN + 1], query[256];
	unsigned char mac[SIGN_SHA256_LEN];
	struct buf *text = NULL;
	struct str s;

	if (h->fd[i] == -1 || h->ws[i])
		house_connect(h, i);
	sign_md5_hex(body, md5);
	snprintf(query, sizeof(query),
	    "auth_key=%s&auth_timestamp=%lld&auth_version=1.0%s%s", RIG_KEY,
	    (long long)time(NULL), body.n > 0 ? "&body_md5=" : "",
	    body.n > 0 ? md5 : "");
	buf_printf(&text, "%s\n/apps/77%s\n%s", method, path, query);
	s = buf_str(text);
	sign_hmac(h->sign, &s, 1, mac);
	str_hex(mac, sizeof(mac), hex);
	text->len = 0;
	buf_printf(&text,
	    "%s /apps/77%s?%s&auth_signature=%s HTTP/1.1\r\nHost: x\r\n"
	    "Content-Length: %zu\r\n\r\n",
	    method, path, query, hex, body.n);
	buf_append(&text, body);
	house_bytes(h, i, buf_str(text));
	buf_unref(text);
}

static char house_dir[] = "/tmp/pusherd-fuzz-XXXXXX";
static char house_path[sizeof(house_dir) + 16];

static inline void
house_unlisten(void)
{
	unlink(house_path);
	rmdir(house_dir);
}

/* Where workers find their broker; made once for the process. */
static inline int
house_listen(void)
{
	static int listener = -1;
	int fd;

	if (listener == -1) {
		assert_non_null(mkdtemp(house_dir));
		snprintf(house_path, sizeof(house_path), "%s/broker.sock",
		    house_dir);
		listener = sock_listen_unix(house_path, 0600);
		assert_int_not_equal(listener, -1);
		atexit(house_unlisten);
	}
	while ((fd = sock_accept(listener, NULL)) != -1)
		close(fd); /* of earlier inputs */
	return listener;
}

/* A worker that has connected to its broker; the broker's end: *broker. */
static inline void
house_init(struct house *h, int *broker)
{
	int fd = house_listen();

	*h = (struct house){ .turn = NULL };
	rig_init(&h->r);
	h->r.w.serving = true;
	drain_init(&h->r.w); /* a living broker may send it away */
	h->r.conf.broker_path = xstrdup(house_path);
	link_init(&h->r.w);
	*broker = sock_accept(fd, NULL);
	assert_int_not_equal(*broker, -1);
	h->sign = sign_key_new(S(RIG_SECRET));
	for (unsigned i = 0; i < CLIENTS; i++)
		h->fd[i] = -1;
}

static inline void
house_clear(struct house *h)
{
	for (unsigned i = 0; i < CLIENTS; i++)
		house_hang_up(h, i);
	sign_key_free(h->sign);
	cache_replica_free(&h->r.w);
	drain_free(&h->r.w);
	ev_timer_stop(h->r.w.loop, &h->r.w.retries->timer);
	rig_clear(&h->r);
}

/* One thing that a client does, out of the input. */
static inline void
house_step(struct house *h, struct input *in)
{
	static const char *const paths[] = { "/channels", "/channels/room",
		"/channels/presence-x/users", "/connections",
		"/channels/room/stats" };
	uint8_t op = input_u8(in), k = input_u8(in);
	unsigned i = k % CLIENTS;
	struct str channel =
	    str_of(house_channels[(k >> 2) % nitems(house_channels)]);

	switch (op % 14) {
	case 0:
		house_upgrade(h, i);
		break;
	case 1:
		house_text(h, i, input_str(in));
		break;
	case 2:
		house_subscribe(h, i, channel,
		    str_starts(channel, S("presence-"))
			? str_of(
			      house_users[input_u8(in) % nitems(house_users)])
			: S(""));
		break;
	case 3:
		channel = input_str(in);
		house_subscribe(h, i, channel, input_str(in));
		break;
	case 4:
		house_event(h, i, S("client-e"), channel, S("\"d\""));
		break;
	case 5:
		channel = input_str(in);
		house_event(h, i, channel, input_str(in), S("{}"));
		break;
	case 6:
		house_signin(h, i,
		    str_of(house_signins[(k >> 2) % nitems(house_signins)]));
		break;
	case 7:
		house_signin(h, i, input_str(in));
		break;
	case 8:
		house_hang_up(h, i);
		break;
	case 9:
		house_upgrade(h, i);
		house_bytes(h, i, input_str(in));
		break;
	case 10:
		house_api(h, i, "POST", "/events", input_str(in));
		break;
	case 11:
		house_api(h, i, "POST", "/batch_events", input_str(in));
		break;
	case 12:
		house_api(h, i, "GET", paths[(k >> 2) % nitems(paths)], S(""));
		break;
	default:
		house_event(h, i, S("pusher:unsubscribe"), channel,
		    S("{\"channel\":\"room\"}"));
		house_api(
		    h, i, "POST", "/users/ann/terminate_connections", S("{}"));
	}
}

#endif
