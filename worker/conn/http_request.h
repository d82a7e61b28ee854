/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CONN_HTTP_REQUEST_H
#define WORKER_CONN_HTTP_REQUEST_H

/*
 * The request that a connection reads or answers, the handler that answers it
 * (w->http), and the ways to reply.
 */

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/base/buf.h"
#include "shared/base/list.h"
#include "shared/base/str.h"
#include "shared/net/http.h"
#include "worker/conn/conn.h"

enum api_state {
	API_IDLE,   /* between two requests */
	API_HEAD,   /* part of a head is there */
	API_BODY,   /* part of a body with a length is there */
	API_CHUNKS, /* in a chunked body */
	API_RUNS,   /* a handler has it */
	API_ASKS,   /* QUERY is out; the connection is paused */
	API_TAKES,  /* TAKE is out; the connection is paused */
	API_CLAIMS, /* IDEM_BEGIN is out; the connection is paused */
	API_PARKED  /* waits for a broker; the connection is paused */
};

/* How the broker's REPLY is answered; and the answer without one. */
enum api_answer {
	ANSWER_QUERY,      /* as it is; 503 */
	ANSWER_STATS,      /* counts under their old names; 503 */
	ANSWER_EVENT_INFO, /* as it is; 200 without counts */
	ANSWER_BATCH_INFO, /* as it is; 200 without counts */
	ANSWER_METRICS     /* text; 503 */
};

struct http {
	enum api_state state;
	enum api_answer answer;
	size_t seen;       /* bytes of the head that were looked at */
	size_t max_head;   /* max_head_bytes when it began, */
	uint64_t max_body; /* max_request_bytes likewise, */
	size_t stripped;   /* bytes of path_prefix in front of its path */
	size_t need;       /* API_BODY: bytes of head and body together */
	uint64_t received; /* bytes of the body's message so far */
	uint64_t nbody;    /* API_CHUNKS: bytes of the body so far */
	uint32_t waited;   /* seconds that its timeout has run */
	uint32_t nbatch;   /* ANSWER_BATCH_INFO: elements */
	uint32_t take;     /* API_TAKES: enum take_kind */
	uint32_t limit;    /* API_TAKES: and the app's setting */
	bool keep_alive, head_only; /* of the request in hand */
	bool unkept;                /* API_CHUNKS: the head is not signed */
	uint32_t app;               /* its app; 0: not known */
	struct http_chunks chunks;
	struct str raw;        /* the head's bytes, while a handler runs */
	struct buf *head;      /* a copy of them: chunks, API_TAKES */
	struct buf *body;      /* likewise */
	struct buf *asked_key; /* API_CLAIMS: the idempotency key */
	struct buf *claim;     /* … that is ours: the answer is owed */
	uint32_t claim_app;
	/* API_PARKED: */
	struct list parked;         /* in w->parked->requests */
	struct list parked_in_app;  /* in parked_share, or */
	struct share *parked_share; /* NULL: it is about to get its 503 */
	struct conn *conn;          /* its connection */
	double parked_at;           /* loop time */
	ev_timer choke;             /* until the peer has read some replies */
};

/* The handler of requests (w->http). */
struct http_handler {
	/* Is this request one of a WebSocket client, and then: answers it. */
	bool (*is_upgrade)(const struct http_head *);
	void (*on_upgrade)(struct conn *, const struct http_head *);
	/* A complete request; granted: it had waited for tokens. */
	void (*on_request)(struct conn *, const struct http_head *,
	    struct str body, bool granted);
	/* Only the head is here.  May the body be kept?  Else answers it. */
	bool (*on_head)(struct conn *, const struct http_head *);
	bool (*is_signed)(struct conn *, const struct http_head *);
	/* This is being answered. */
	void (*on_reply)(struct conn *, unsigned status, struct str json);
	/* c->http is freed. */
	void (*on_drop)(struct conn *);
	/* The broker has not answered in time. */
	void (*on_late)(struct conn *);
};

/* Answers the request; the connection continues with the next one. */
void api_reply(struct conn *, unsigned status, struct str json);
/* {"error":text,"code":status} */
void api_error(struct conn *, unsigned status, struct str text);
void api_errorf(struct conn *, unsigned status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Closes it, after a 503 when that makes sense, and frees all it held. */
void api_over(struct conn *, struct str text);
/* Frees c->http. */
void api_free(struct conn *);
/* Answers with further header lines (each with CRLF), or NULL. */
void api_reply_extra(
    struct conn *, unsigned status, const char *extra, struct str json);
/* The same for a body that is no JSON. */
void api_reply_typed(
    struct conn *, unsigned status, const char *type, struct str body);
/* 503 with Retry-After. */
void api_unavailable(struct conn *, struct str text);
/* The request cannot be read on: answers and closes. */
void api_refuse(struct conn *, unsigned status, struct str text);
/* The request has been answered: waits for the next one, or closes. */
void api_end_request(struct conn *, bool keep_alive);
/*
 * A request that was answered outside of feed: drops what was kept of it and
 * goes on with the next one.
 */
void api_settle(struct conn *);
/* Hands it to the handler; granted: it had waited for tokens. */
void api_run(
    struct conn *, const struct http_head *, struct str body, bool granted);
/* Runs a request again that waited for tokens and has them now. */
void api_run_granted(struct conn *);
/* Runs a request again from its beginning. */
void api_run_again(struct conn *);

#endif
