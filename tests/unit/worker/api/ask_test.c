/* SPDX-License-Identifier: MIT */
/* ask.c: a broker that owes an answer for too long. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "tests/unit/worker/rig.h"
#include "worker/api/ask.h"
#include "worker/api/idempotency.h"
#include "worker/conn/http_conn.h"
#include "worker/conn/http_request.h"
#include "worker/conn/input.h"
#include "worker/conn/timeout.h"

static const struct {
	enum api_state state;
	enum api_answer answer;
	const char *status, *body;
} rows[] = {
	{ API_ASKS, ANSWER_QUERY, "HTTP/1.1 503", "\"code\":503" },
	{ API_ASKS, ANSWER_STATS, "HTTP/1.1 503", "\"code\":503" },
	/* Published is published; only the counts are missing. */
	{ API_ASKS, ANSWER_EVENT_INFO, "HTTP/1.1 200", "{\"channels\":{}}" },
	{ API_TAKES, ANSWER_QUERY, "HTTP/1.1 503", "does not answer in time" },
	{ API_BEGINS, ANSWER_QUERY, "HTTP/1.1 503", "does not answer in time" },
};

/* Takes what the first, complete request was answered. */
static void
first_request(struct rig *r)
{
	static const char text[] = "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n";

	rig_connect(r, &http_ops);
	rig_send(r, text, sizeof(text) - 1);
	rig_turn(r);
	assert_true(r->n > 0 && !r->eof);
	r->n = 0;
}

static void
late(void **state)
{
	struct msg_reply reply = { .status = 200, .body = S("{}") };
	struct rig r;
	char *text;

	for (size_t i = 0; i < nitems(rows); i++) {
		rig_init(&r);
		first_request(&r);
		r.c->http->state = rows[i].state;
		r.c->http->answer = rows[i].answer;
		input_pause(r.c);
		conn_set_timeout(r.c, API_ASK_SECONDS);
		http_ops.on_timeout(r.c);
		/* The answer comes after all: it must find nobody. */
		reply.id = conn_sid(r.c);
		assert_int_equal(api_on_reply(&r.w, &reply), 0);
		rig_turn(&r);
		text = xstrndup(r.in, r.n);
		assert_non_null(strstr(text, rows[i].status));
		assert_non_null(strstr(text, rows[i].body));
		assert_non_null(strstr(text, "Connection: close"));
		assert_null(strstr(text + 1, "HTTP/1.1"));
		assert_true(r.eof);
		free(text);
		rig_clear(&r);
	}
}

/* A key that comes when nobody wants it any more is given back at once. */
static void
a_late_key_is_given_back(void **state)
{
	struct msg_idem_result m = { .app = 7, .key = S("k") };
	struct msg_idem_store f;
	struct str body;
	struct rig r;

	rig_init(&r);
	rig_link(&r);
	first_request(&r);
	m.id = conn_sid(r.c);
	r.c->http->state = API_BEGINS;
	input_pause(r.c);
	conn_set_timeout(r.c, API_ASK_SECONDS);
	http_ops.on_timeout(r.c);
	for (int i = 0; i < 2; i++) { /* it closes; it is gone */
		assert_int_equal(idempotency_on_result(&r.w, &m), 0);
		assert_int_equal(rig_heard(&r, &body), IPC_IDEM_STORE);
		assert_int_equal(msg_idem_store_get(&f, body), 0);
		assert_true(f.app == 7 && str_eq(f.key, S("k")));
		assert_int_equal(f.status, 0);
		assert_int_equal(f.provisional, 0);
		rig_turn(&r);
	}
	m.status = 200; /* an answer is nothing to give back */
	assert_int_equal(idempotency_on_result(&r.w, &m), 0);
	rig_heard_nothing(&r);
	rig_clear(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(late),
		cmocka_unit_test(a_late_key_is_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
