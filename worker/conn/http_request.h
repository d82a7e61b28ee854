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

struct app;
struct console_request;

enum api_state {
	API_IDLE,    /* between two requests */
	API_HEAD,    /* part of a head is there */
	API_BODY,    /* part of a body with a length is there */
	API_CHUNKS,  /* in a chunked body */
	API_RUNS,    /* a handler has it */
	API_ASKS,    /* QUERY is out; the connection is paused */
	API_TAKES,   /* TAKE is out; the connection is paused */
	API_BEGINS,  /* IDEM_BEGIN is out; the connection is paused */
	API_CONSOLE, /* a command of the console runs */
	API_RETRIES  /* waits for a broker; the connection is paused */
};

/* How the broker's REPLY is answered; and the answer without a REPLY. */
enum api_answer {
	ANSWER_QUERY,      /* unchanged; 503 */
	ANSWER_STATS,      /* counts under their old names; 503 */
	ANSWER_EVENT_INFO, /* unchanged; 200 without counts */
	ANSWER_BATCH_INFO, /* unchanged; 200 without counts */
	ANSWER_METRICS,    /* text; 503 */
	ANSWER_CSV         /* likewise */
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
	bool waits;        /* API_ASKS: for clients, up to QUERY_WAIT_MS */
	bool keep_alive, head_only; /* of the request in hand */
	bool unkept;                /* API_CHUNKS: the head is not signed */
	uint32_t app;               /* its app; 0: not known */
	struct http_chunks chunks;
	struct str raw;        /* the head's bytes, while a handler runs */
	struct buf *head;      /* a copy of them: chunks, API_TAKES */
	struct buf *body;      /* likewise */
	struct buf *asked_key; /* API_BEGINS: the idempotency key */
	struct console_request *console; /* API_CONSOLE */
	struct buf *console_out; /* its output; of a stream half a line */
	struct buf *idem_key;    /* … that is ours: the answer is owed */
	struct app *idem_app;    /* whose key it is; a reference */
	/* API_RETRIES: */
	struct list retry;         /* in w->retries->requests */
	struct list retry_in_app;  /* in retry_share, or */
	struct share *retry_share; /* NULL: it is about to get its 503 */
	struct conn *conn;         /* its connection */
	double retry_since;        /* loop time */
	ev_timer choke;            /* until the peer has read some replies */
};

/* The handler of requests (w->http). */
struct http_handler {
	/* Is this request one of a WebSocket client?  If so, answers it. */
	bool (*is_upgrade)(const struct http_head *);
	void (*on_upgrade)(struct conn *, const struct http_head *);
	/* A complete request; granted: it has waited for tokens. */
	void (*on_request)(struct conn *, const struct http_head *,
	    struct str body, bool granted);
	/*
	 * Only the head is here.  May the body be stored?  If not, answers it.
	 */
	bool (*on_head)(struct conn *, const struct http_head *);
	bool (*is_signed)(struct conn *, const struct http_head *);
	/* The request is being answered with this. */
	void (*on_reply)(struct conn *, unsigned status, struct str json);
	/* c->http is about to be freed. */
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
/* Closes it, after a 503 if a request is open, and frees its data. */
void api_over(struct conn *, struct str text);
/* Frees c->http. */
void api_free(struct conn *);
/* Answers with further header lines (each with CRLF), or NULL. */
void api_reply_extra(
    struct conn *, unsigned status, const char *extra, struct str json);
/* The same for a body that is not JSON. */
void api_reply_typed(
    struct conn *, unsigned status, const char *type, struct str body);
/* The same with both; type: NULL for a status without a body. */
void api_reply_file(struct conn *, unsigned status, const char *type,
    const char *extra, struct str body);
/* 503 with Retry-After. */
void api_unavailable(struct conn *, struct str text);
/*
 * The same in the place of answers that wait for the broker, and the end of the
 * connection: see conn_answer_instead().
 */
void api_unconfirmed(struct conn *, struct str text);
/* The rest of the stream cannot be read: answers and closes. */
void api_refuse(struct conn *, unsigned status, struct str text);
/* The request has been answered: waits for the next one, or closes. */
void api_end_request(struct conn *, bool keep_alive);
/*
 * A request was answered outside of feed: frees its copy and continues with the
 * next one.
 */
void api_continue(struct conn *);
/* Passes it to the handler; granted: it has waited for tokens. */
void api_run(
    struct conn *, const struct http_head *, struct str body, bool granted);
/* Runs a request again that has got its tokens. */
void api_run_granted(struct conn *);
/* Runs a request again from its beginning. */
void api_run_again(struct conn *);

#endif
