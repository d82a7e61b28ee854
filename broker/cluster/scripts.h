/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CLUSTER_SCRIPTS_H
#define BROKER_CLUSTER_SCRIPTS_H

/*
 * The scripts that run in Redis, each as one step.  ARGV 1 to 3: the prefix of
 * all keys, the host, its epoch.  Keys behind the prefix: "stream"; "count", of
 * its entries; hashes by host: "hosts" (the epochs), "sent" (the number of the
 * last entry), "read" (how far it has read), "left" (how far one had that is
 * out), "logged" (the "log" that it knows); "log", the number of the logs of
 * events: another one when Redis has lost entries, since their places are given
 * again; "alive:HOST" (the server that has this name, while it lives);
 * "events:HOST", by worker (origin): the number of its last event, and that of
 * the entry with it; "format"; "apps", their records by id;
 * "session:VERSION:APP:ID", HOST_SESSION without its head.  Fields of an
 * entry: n, its number; h and e, the host and its epoch; d, its bytes, empty
 * when the host is gone; a, for each worker of which events stand in the stream
 * a second time: its origin, and the number of the last one that came before.
 */

#define SCRIPT_HEAD \
	"local p, h, e = ARGV[1], ARGV[2], ARGV[3]\n" \
	"local function add(host, epoch, data, most, again)\n" \
	"  local n = redis.call('INCR', p..'count')\n" \
	"  return n, redis.call('XADD', p..'stream', 'MAXLEN', '~', most, " \
	"'*'," \
	"    'n', n, 'h', host, 'e', epoch, 'd', data, 'a', again or " \
	"'')\n" \
	"end\n"

/* Is this place not in the stream, though it has not left it by its age? */
#define SCRIPT_LOST \
	"local function lost(id, n)\n" \
	"  local s = p..'stream'\n" \
	"  local one = redis.call('XRANGE', s, id, id)[1]\n" \
	"  local old = redis.call('XRANGE', s, '-', id, 'COUNT', 1)[1]\n" \
	"  return (old and not one) or\n" \
	"      (one and one[2][1] == 'n' and one[2][2] ~= n)\n" \
	"end\n"

/*
 * 4 server, 5 lease in ms, 6 format, 7 entries to keep, 8 the last place that
 * the broker before this one has applied, 9 the one up to which all workers
 * have been sent it; empty: not known; 10 bytes; 11 the newest entry of which
 * its logs have an event.  Answers with the place from which to read on, which
 * is empty if a place is lost, the number of the logs, and "logs" if they alone
 * lack what is behind that place, since the host was out.
 */
static const char script_join[] = SCRIPT_HEAD SCRIPT_LOST
    "local f = redis.call('GET', p..'format')\n"
    "if f and f ~= ARGV[6] and redis.call('HLEN', p..'hosts') > 0 then\n"
    "  return {'format', f}\n"
    "end\n"
    "local a = redis.call('GET', p..'alive:'..h)\n"
    "if a and a ~= ARGV[4] then return {'taken', a} end\n"
    "local n, id = add(h, e, ARGV[10], ARGV[7])\n"
    "redis.call('SET', p..'format', ARGV[6])\n"
    "redis.call('SET', p..'alive:'..h, ARGV[4], 'PX', ARGV[5])\n"
    "redis.call('HSET', p..'hosts', h, e)\n"
    "redis.call('HDEL', p..'sent', h)\n"
    "local all = redis.call('HGETALL', p..'events:'..h)\n"
    "for i = 1, #all, 2 do\n" /* are their entries trimmed? */
    "  if tonumber(string.match(all[i + 1], '%d+$')) < n - ARGV[7] then\n"
    "    redis.call('HDEL', p..'events:'..h, all[i])\n"
    "  end\n"
    "end\n"
    "local r = {'ok', id, tostring(n), '', '', '', ''}\n"
    "local anew = tonumber(ARGV[11]) > n\n"
    "local function kept(place)\n"
    "  local at, nth = string.match(place, '(%S+) (%S+)')\n"
    "  local ok = tonumber(nth) < n and not lost(at, nth)\n"
    "  anew = anew or not ok\n"
    "  return ok, at, nth\n"
    "end\n"
    "local read = redis.call('HGET', p..'read', h)\n"
    "if ARGV[9] ~= '' then read = ARGV[9] end\n"
    "local left = redis.call('HGET', p..'left', h)\n"
    "redis.call('HDEL', p..'left', h)\n"
    "if not read and left then read, r[7] = left, 'logs' end\n"
    "if read then\n"
    "  local ok, at, nth = kept(read)\n"
    "  if ok and (ARGV[8] == '' or kept(ARGV[8])) then\n"
    "    r[4], r[5] = at, nth\n"
    "  end\n"
    "end\n"
    "if not read or r[7] ~= '' then\n"
    "  redis.call('HSET', p..'read', h, left or id..' '..n)\n"
    "end\n"
    "local log = redis.call('GET', p..'log')\n"
    "if not log or anew and redis.call('HGET', p..'logged', h) == log then\n"
    "  log = e\n"
    "  redis.call('SET', p..'log', log)\n"
    "end\n"
    "redis.call('HSET', p..'logged', h, log)\n"
    "r[6] = log\n"
    "for _, v in ipairs(redis.call('HGETALL', p..'hosts')) do\n"
    "  r[#r + 1] = v\n"
    "end\n"
    "return r\n";

/*
 * 4 its number of this host, 5 entries to keep, 6 bytes, 7 for each worker that
 * has events in them: its origin, the first and the last number
 */
static const char script_send[] = SCRIPT_HEAD
    "if redis.call('HGET', p..'hosts', h) ~= e then return 'fenced' end\n"
    "local last = redis.call('HGET', p..'sent', h)\n"
    "if last and tonumber(last) >= tonumber(ARGV[4]) then\n"
    "  redis.call('HSET', p..'sent', h, last)\n" /* for WAIT */
    "  return 'known'\n"
    "end\n"
    "local k, again = p..'events:'..h, ''\n"
    "local n = (redis.call('GET', p..'count') or 0) + 1\n"
    "for o, first, last in string.gmatch(ARGV[7], '(%x+) (%d+) (%d+)') do\n"
    "  local had = string.match(redis.call('HGET', k, o) or '', '%d+')\n"
    "  if had and tonumber(had) >= tonumber(first) then\n"
    "    again = again..o..' '..had..' '\n"
    "  end\n"
    "  if not had or tonumber(had) < tonumber(last) then\n"
    "    redis.call('HSET', k, o, last..' '..n)\n"
    "  end\n"
    "end\n"
    "add(h, e, ARGV[6], ARGV[5], again)\n"
    "redis.call('HSET', p..'sent', h, ARGV[4])\n"
    "return 'ok'\n";

/*
 * 4 server, 5 lease in ms, 6 entries to keep, 7 place that has been read: its
 * id and number; answers with "ok", or "fenced" if the others have declared it
 * dead, the number of entries, "lost" if that place is, the number of the logs,
 * and for each host what is left of its lease
 */
static const char script_beat[] = SCRIPT_HEAD SCRIPT_LOST
    "local a = redis.call('GET', p..'alive:'..h)\n"
    "if not a or a == ARGV[4] then\n"
    "  redis.call('HSET', p..'read', h, ARGV[7])\n" /* also for a successor */
    "end\n"
    "local id, n = string.match(ARGV[7], '(%S+) (%S+)')\n"
    "local r = {'ok', '', lost(id, n) and 'lost' or 'kept'}\n"
    "if redis.call('HGET', p..'hosts', h) ~= e then\n"
    "  r[1], r[2] = 'fenced', redis.call('GET', p..'count') or '0'\n"
    "  return r\n"
    "end\n"
    "redis.call('SET', p..'alive:'..h, ARGV[4], 'PX', ARGV[5])\n"
    "r[4] = redis.call('GET', p..'log') or ''\n"
    "redis.call('HSET', p..'logged', h, r[4])\n"
    "local all = redis.call('HGETALL', p..'hosts')\n"
    "for i = 1, #all, 2 do\n"
    "  local left = redis.call('PTTL', p..'alive:'..all[i])\n"
    "  r[#r + 1], r[#r + 2] = all[i], tostring(left)\n"
    "  if left < 0 then\n"
    "    redis.call('HDEL', p..'hosts', all[i])\n"
    "    redis.call('HDEL', p..'sent', all[i])\n"
    "    add(all[i], all[i + 1], '', ARGV[6])\n"
    "  end\n"
    "end\n"
    "r[2] = redis.call('GET', p..'count') or '0'\n"
    "return r\n";

/*
 * 4 id of the app, 5 its record (empty: it is deleted), 6 "1": only if there is
 * none, 7 entries to keep, 8 bytes; answers with the number of the entry, 0: of
 * none
 */
static const char script_app_set[] = SCRIPT_HEAD
    "if redis.call('HGET', p..'hosts', h) ~= e then return 'fenced' end\n"
    "if ARGV[6] == '1' and redis.call('HEXISTS', p..'apps', ARGV[4]) == 1 "
    "then\n"
    "  return '0'\n"
    "end\n"
    "local n = add(h, e, ARGV[8], ARGV[7])\n"
    "redis.call('HSET', p..'apps', ARGV[4], ARGV[5])\n"
    "return tostring(n)\n";

/* 4 the number of an entry, 5 id of the app or all of them, if empty */
static const char script_apps[] = SCRIPT_HEAD
    "local r = {ARGV[4]}\n"
    "if ARGV[5] ~= '' then\n"
    "  r[2], r[3] = ARGV[5], redis.call('HGET', p..'apps', ARGV[5]) or ''\n"
    "  return r\n"
    "end\n"
    "r[2], r[3] = '', ''\n"
    "for _, v in ipairs(redis.call('HGETALL', p..'apps')) do\n"
    "  r[#r + 1] = v\n"
    "end\n"
    "return r\n";

/* 4 socket id, 5 key; answers with the socket id, and what is there, if any */
static const char script_stored[] =
    "return {ARGV[4], redis.call('GET', ARGV[5]) or ''}\n";

/* 4 entries to keep, 5 place that has been read */
static const char script_leave[] = SCRIPT_HEAD
    "if redis.call('HGET', p..'hosts', h) ~= e then return 'fenced' end\n"
    "redis.call('HDEL', p..'hosts', h)\n"
    "redis.call('HDEL', p..'sent', h)\n"
    "redis.call('HDEL', p..'read', h)\n"
    "redis.call('HSET', p..'left', h, ARGV[5])\n"
    "redis.call('DEL', p..'alive:'..h, p..'events:'..h)\n"
    "add(h, e, '', ARGV[4])\n"
    "return 'ok'\n";

#endif
