# SPDX-License-Identifier: MIT
#
# The official Python library, unmodified, at the end of a pipe: the first
# line says which app and server, each further line is one call as a JSON
# object, answered with one line: {"ok": ...} or {"error": ...}.
import json
import sys

import pusher


def text(value):
    """shared_secret comes as bytes."""
    return value.decode() if isinstance(value, bytes) else value


def call(client, m):
    do = m["do"]
    if do == "trigger":
        return client.trigger(m["channels"], m["event"], m["data"],
                              m.get("socket_id"))
    if do == "batch":
        return client.trigger_batch(m["events"])
    if do == "channels":
        return client.channels_info(m["prefix"], m["info"])
    if do == "channel":
        return client.channel_info(m["channel"], m["info"])
    if do == "users":
        return client.users_info(m["channel"])
    if do == "auth":
        got = client.authenticate(m["channel"], m["socket_id"],
                                  m.get("member"))
        return {k: text(v) for k, v in got.items()}
    if do == "user_auth":
        return client.authenticate_user(m["socket_id"], m["user"])
    if do == "webhook":
        got = client.validate_webhook(m["key"], m["signature"], m["body"])
        if got is None:
            raise ValueError("invalid webhook")
        return got
    if do == "terminate":
        return client.terminate_user_connections(m["user"])
    if do == "send_to_user":
        return client.send_to_user(m["user"], m["event"], m["data"])
    raise ValueError("what is " + do + "?")


def main():
    conf = json.loads(sys.stdin.readline())
    client = pusher.Pusher(
        app_id=conf["id"], key=conf["key"], secret=conf["secret"], ssl=False,
        host="127.0.0.1", port=conf["port"],
        encryption_master_key_base64=conf["master"])
    for line in sys.stdin:
        try:
            answer = {"ok": call(client, json.loads(line))}
        except Exception as e:  # whatever the library throws is an answer
            answer = {"error": "%s: %s" % (type(e).__name__, e)}
        print(json.dumps(answer), flush=True)


main()
