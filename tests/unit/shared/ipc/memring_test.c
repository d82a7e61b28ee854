/* SPDX-License-Identifier: MIT */
/*
 * memring.c: bytes around the end of the memory, a full ring, a closed one,
 * positions that cannot be, memory of the wrong kind or none, and sleep that
 * nothing is lost in.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "shared/ipc/memring.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif
#define HEAD_BYTES 256 /* of the memory: all positions and flags */

/* Both ends in one process, and the second end's descriptors again. */
struct pair {
	struct memring *first, *second;
	struct memring_fds fds;
};

static void
open_pair(struct pair *p)
{
	struct memring_fds second;

	p->first = memring_new(&second);
	assert_non_null(p->first);
	p->fds = (struct memring_fds){ dup(second.memory), dup(second.bell),
		dup(second.other) };
	p->second = memring_open(&second);
	assert_non_null(p->second);
}

static void
clear_pair(struct pair *p)
{
	memring_free(p->first);
	memring_free(p->second);
	close(p->fds.memory);
	close(p->fds.bell);
	close(p->fds.other);
}

static int
send_text(struct memring *r, struct str s)
{
	struct outq q;
	int sent;

	outq_init(&q);
	outq_push_copy(&q, s);
	sent = memring_send(r, &q, false);
	outq_clear(&q);
	return sent;
}

static bool
rings(const struct memring *r)
{
	struct pollfd p = { memring_fds(r).bell, POLLIN, 0 };

	return poll(&p, 1, 0) == 1;
}

static void
bytes_come_in_order_around_the_end(void **state)
{
	static char bytes[MEMRING_BYTES], got[MEMRING_BYTES];
	struct pair p;
	uint64_t x = 1;

	(void)state;
	open_pair(&p);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7 + i / 251);
	for (int i = 0; i < 2000; i++) {
		struct memring *from = i % 2 ? p.first : p.second;
		struct memring *to = i % 2 ? p.second : p.first;
		size_t n;

		x = x * 6364136223846793005u + 1442695040888963407u;
		n = 1 +
		    (size_t)(x >> 33) % (i % 100 == 0 ? MEMRING_BYTES : 999);
		assert_int_equal(send_text(from, str_make(bytes, n)), 1);
		assert_int_equal(memring_ready(to), n);
		memring_read(to, got, n / 2);
		memring_read(to, got + n / 2, n - n / 2);
		assert_memory_equal(got, bytes, n);
		assert_int_equal(memring_ready(to), 0);
	}
	assert_false(rings(p.first) || rings(p.second)); /* nobody slept */
	clear_pair(&p);
}

static void
what_is_sent_late_wakes_nobody_before_it_is_time(void **state)
{
	static char bytes[MEMRING_BYTES / 4];
	struct pair p;
	struct outq q;

	(void)state;
	open_pair(&p);
	outq_init(&q);
	memring_sleep(p.second);
	outq_push_copy(&q, S("late"));
	assert_int_equal(memring_send(p.first, &q, true), 1);
	assert_false(rings(p.second));
	memring_wake(p.first);
	assert_true(rings(p.second));
	assert_true(memring_hear(p.second));
	/* It has looked by itself, and sleeps again. */
	outq_push_copy(&q, S("more"));
	assert_int_equal(memring_send(p.first, &q, true), 1);
	memring_read(p.second, bytes, 8);
	memring_sleep(p.second);
	memring_wake(p.first);
	assert_false(rings(p.second));
	/* There is much to do. */
	outq_push_copy(&q, str_make(bytes, sizeof(bytes)));
	assert_int_equal(memring_send(p.first, &q, true), 1);
	assert_true(rings(p.second));
	outq_clear(&q);
	clear_pair(&p);
}

static void
a_full_ring_rings_when_it_has_room(void **state)
{
	static char bytes[MEMRING_BYTES];
	struct pair p;
	struct outq q;

	(void)state;
	open_pair(&p);
	outq_init(&q);
	outq_push_copy(&q, str_make(bytes, sizeof(bytes)));
	outq_push_copy(&q, S("more"));
	assert_int_equal(memring_send(p.first, &q, false), 0);
	assert_int_equal(outq_bytes(&q), 4);
	assert_int_equal(memring_send(p.first, &q, false), 0);
	assert_int_equal(memring_ready(p.second), MEMRING_BYTES);
	assert_false(rings(p.first));
	memring_read(p.second, bytes, 1);
	assert_true(rings(p.first));
	assert_true(memring_hear(p.first));
	assert_false(rings(p.first));
	assert_int_equal(memring_send(p.first, &q, false), 0);
	assert_int_equal(outq_bytes(&q), 3);
	memring_read(p.second, bytes, sizeof(bytes));
	assert_int_equal(memring_send(p.first, &q, false), 1);
	outq_clear(&q);
	clear_pair(&p);
}

static void
a_closed_ring_takes_nothing(void **state)
{
	char got[3];
	struct pair p;

	(void)state;
	open_pair(&p);
	assert_int_equal(send_text(p.second, S("abc")), 1);
	memring_close(p.first);
	errno = 0;
	assert_int_equal(send_text(p.second, S("d")), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(memring_ready(p.first), 3);
	memring_read(p.first, got, 3);
	assert_memory_equal(got, "abc", 3);
	assert_int_equal(memring_ready(p.first), 0);
	assert_int_equal(send_text(p.first, S("e")), 1); /* the other way */
	clear_pair(&p);
}

/* Whatever another process writes, nothing outside of the ring is touched. */
static void
no_position_is_trusted(void **state)
{
	static const uint64_t values[] = { 1, 2, MEMRING_BYTES,
		MEMRING_BYTES + 1, UINT32_MAX, UINT64_C(1) << 62,
		UINT64_C(1) << 63, UINT64_MAX };
	static char got[MEMRING_BYTES];
	struct pair p;
	ssize_t n;
	unsigned refused = 0;

	(void)state;
	for (size_t at = 0; at < HEAD_BYTES / 8; at++)
		for (size_t i = 0; i < nitems(values); i++) {
			uint64_t *words;

			open_pair(&p);
			words = mmap(NULL, HEAD_BYTES, PROT_READ | PROT_WRITE,
			    MAP_SHARED, p.fds.memory, 0);
			assert_ptr_not_equal(words, MAP_FAILED);
			send_text(p.first, S("abc"));
			words[at] = values[i];
			errno = 0;
			refused += send_text(p.first, S("def")) == -1 &&
			    errno == EBADMSG;
			n = memring_ready(p.first);
			assert_in_range(n + 1, 0, MEMRING_BYTES + 1);
			refused += n == -1;
			if (n > 0)
				memring_read(p.first, got, (size_t)n);
			munmap(words, HEAD_BYTES);
			clear_pair(&p);
		}
	assert_true(refused > 2 * 4);
}

static void
only_sealed_memory_is_taken(void **state)
{
	struct memring_fds fds;
	struct pair p;
	off_t size;

	(void)state;
	open_pair(&p);
	size = lseek(p.fds.memory, 0, SEEK_END);
	assert_int_equal(ftruncate(p.fds.memory, 0), -1); /* nobody can */
	assert_int_equal(ftruncate(p.fds.memory, size * 2), -1);
	for (int i = 0; i < 3; i++) {
		fds =
		    (struct memring_fds){ memfd_create("x", MFD_ALLOW_SEALING),
			    dup(p.fds.bell), dup(p.fds.other) };
		assert_int_equal(
		    ftruncate(fds.memory, i == 0 ? size - 1 : size), 0);
		if (i < 2)
			assert_int_equal(fcntl(fds.memory, F_ADD_SEALS,
					     F_SEAL_GROW | F_SEAL_SEAL |
						 (i == 0 ? F_SEAL_SHRINK : 0)),
			    0);
		errno = 0;
		assert_null(memring_open(&fds)); /* which closes them */
		assert_int_equal(errno, EBADMSG);
	}
	fds = (struct memring_fds){ dup(p.fds.memory), -1, -1 };
	assert_null(memring_open(&fds));
	clear_pair(&p);
}

/* A ring is made of five descriptors: with fewer there is none, and no rest. */
static void
a_ring_that_cannot_be_made_leaves_nothing_open(void **state)
{
	enum { NEEDED = 5 };
	struct rlimit before, few;
	struct memring_fds second;
	struct memring *r;
	int next[NEEDED];

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	for (int room = 0; room <= NEEDED; room++) {
		for (int i = 0; i < NEEDED; i++)
			next[i] = dup(STDERR_FILENO);
		for (int i = 0; i < NEEDED; i++)
			close(next[i]);
		few = before;
		few.rlim_cur =
		    (rlim_t)(room == 0 ? next[0] : next[room - 1] + 1);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
		r = memring_new(&second);
		assert_int_equal(r != NULL, room == NEEDED);
		assert_true(r != NULL || errno == EMFILE);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		if (r != NULL)
			memring_free(memring_open(&second));
		memring_free(r);
		assert_int_equal(dup(STDERR_FILENO), next[0]);
		close(next[0]);
	}
}

/* Linux adds F_SEAL_EXEC by itself where vm.memfd_noexec is set. */
static void
other_seals_do_not_matter(void **state)
{
	struct memring_fds fds;
	struct memring *r;
	struct pair p;

	(void)state;
	open_pair(&p);
	fds = (struct memring_fds){ memfd_create("x",
					MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL),
		dup(p.fds.bell), dup(p.fds.other) };
	if (fds.memory != -1) { /* else the kernel is older than 6.3 */
		assert_int_equal(
		    ftruncate(fds.memory, lseek(p.fds.memory, 0, SEEK_END)), 0);
		assert_int_equal(fcntl(fds.memory, F_ADD_SEALS,
				     F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL),
		    0);
		r = memring_open(&fds);
		assert_non_null(r);
		memring_free(r);
	}
	clear_pair(&p);
}

/* Another process goes on with the second end. */
static void
an_end_goes_on_elsewhere(void **state)
{
	char got[6];
	struct pair p;

	(void)state;
	open_pair(&p);
	assert_int_equal(send_text(p.first, S("abcdef")), 1);
	assert_int_equal(send_text(p.second, S("123")), 1);
	memring_read(p.second, got, 2);
	memring_sleep(p.second);
	memring_free(p.second);
	p.second = memring_open(&(struct memring_fds){
	    dup(p.fds.memory), dup(p.fds.bell), dup(p.fds.other) });
	assert_non_null(p.second);
	assert_int_equal(memring_ready(p.second), 4);
	memring_read(p.second, got, 4);
	assert_memory_equal(got, "cdef", 4);
	assert_int_equal(send_text(p.second, S("456")), 1);
	assert_int_equal(memring_ready(p.first), 6);
	memring_read(p.first, got, 6);
	assert_memory_equal(got, "123456", 6);
	clear_pair(&p);
}

/* The second end does all that it can to make the first one wait. */
static void
a_bell_never_blocks(void **state)
{
	struct pair p;
	char byte;

	(void)state;
	open_pair(&p);
	fcntl(p.fds.bell, F_SETFL, 0);
	fcntl(p.fds.other, F_SETFL, 0);
	for (int i = 0; i < 100000; i++) { /* more than a pipe holds */
		memring_sleep(p.second);
		assert_int_equal(send_text(p.first, S("a")), 1);
		memring_read(p.second, &byte, 1);
		memring_awake(p.second);
	}
	assert_true(rings(p.second));
	assert_true(memring_hear(p.first)); /* empty, and does not wait */
	clear_pair(&p);
}

static void
the_bell_tells_of_the_end(void **state)
{
	struct pair p;

	(void)state;
	open_pair(&p);
	assert_true(memring_hear(p.first));
	memring_free(p.second);
	assert_true(memring_hear(p.first)); /* p.fds is another process */
	close(p.fds.other);
	assert_false(memring_hear(p.first));
	p.second = memring_open(&(struct memring_fds){
	    dup(p.fds.memory), dup(p.fds.bell), open("/dev/null", O_WRONLY) });
	p.fds.other = open("/dev/null", O_WRONLY);
	clear_pair(&p);
}

/* ---- two threads that sleep ---- */

#define STREAM_BYTES (24u << 20)

/* Sleeps until there is something to do; 10 s of silence is a lost bell. */
static void
sleep_well(struct memring *r)
{
	struct pollfd p = { memring_fds(r).bell, POLLIN, 0 };

	if (poll(&p, 1, 10000) != 1)
		fail_msg("the bell has not rung");
	assert_true(memring_hear(r));
}

static void *
write_stream(void *arg)
{
	struct memring *r = arg;
	struct outq q;
	uint32_t at = 0, n;
	char bytes[3000];

	outq_init(&q);
	while (at < STREAM_BYTES) {
		n = MIN(1 + at * 2654435761u % 3000u, STREAM_BYTES - at);
		for (uint32_t i = 0; i < n; i++, at++)
			bytes[i] = (char)(at % 251);
		outq_push_copy(&q, str_make(bytes, n));
		while (memring_send(r, &q, false) == 0)
			sleep_well(r);
	}
	outq_clear(&q);
	return NULL;
}

static void
nothing_is_lost_in_sleep(void **state)
{
	static char got[MEMRING_BYTES];
	pthread_t writer;
	struct pair p;
	uint32_t at = 0;
	ssize_t n;

	(void)state;
	open_pair(&p);
	assert_int_equal(
	    pthread_create(&writer, NULL, write_stream, p.first), 0);
	while (at < STREAM_BYTES) {
		memring_sleep(p.second);
		n = memring_ready(p.second);
		assert_true(n >= 0);
		if (n == 0) {
			sleep_well(p.second);
			continue;
		}
		memring_awake(p.second);
		memring_read(p.second, got, (size_t)n);
		for (ssize_t i = 0; i < n; i++, at++)
			if (got[i] != (char)(at % 251))
				fail_msg("byte %u is another one", at);
	}
	pthread_join(writer, NULL);
	clear_pair(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_come_in_order_around_the_end),
		cmocka_unit_test(
		    what_is_sent_late_wakes_nobody_before_it_is_time),
		cmocka_unit_test(a_full_ring_rings_when_it_has_room),
		cmocka_unit_test(a_closed_ring_takes_nothing),
		cmocka_unit_test(no_position_is_trusted),
		cmocka_unit_test(only_sealed_memory_is_taken),
		cmocka_unit_test(
		    a_ring_that_cannot_be_made_leaves_nothing_open),
		cmocka_unit_test(other_seals_do_not_matter),
		cmocka_unit_test(an_end_goes_on_elsewhere),
		cmocka_unit_test(a_bell_never_blocks),
		cmocka_unit_test(the_bell_tells_of_the_end),
		cmocka_unit_test(nothing_is_lost_in_sleep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
