# SPDX-License-Identifier: MIT
#
# wire.py URL: python-websockets, with the compression that it has by itself.
# Each line of standard input is a message to the server, each message from it
# is a line of output.
import sys
import threading

from websockets.sync.client import connect


def read(socket):
    for text in socket:
        print(text, flush=True)


with connect(sys.argv[1]) as ws:
    threading.Thread(target=read, args=(ws,), daemon=True).start()
    for line in sys.stdin:
        ws.send(line.rstrip("\n"))
