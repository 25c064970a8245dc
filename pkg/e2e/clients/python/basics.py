"""An independent Socket.IO client, python-socketio, against the echo:

    python basics.py '{"token":"<jwt>","ways":{"one gateway":"http://..."}}'

Writes one line of JSON for each check, as matrix.mjs does.
"""

import json
import logging
import sys
import threading
import time
import traceback

import engineio
import requests
import socketio

TASK = json.loads(sys.argv[1])
PATIENCE = 40
engineio.payload.Payload.max_decode_packets = 500  # of one poll; its 16 are too few for a burst from any server
logging.disable()  # what matters is in the results
VALUES = [1, -0.5, "two €😀", None, True, {"three": [[], {}, [False]]}]
BINARY = [b"\x01\x02\x03", {"deep": [b"\x07" * 3000]}, "text"]


def equal(got, want):
    if got != want:
        raise AssertionError(f"got {got!r:.200}, want {want!r:.200}")


class InOrder(engineio.Client):
    """The stock client handles each message in a thread of its own, so that an
    attachment may overtake the event that it belongs to."""

    def _trigger_event(self, event, *args, run_async=False, **kwargs):
        return super()._trigger_event(event, *args, run_async=run_async and event != "message", **kwargs)


class Ordered(socketio.Client):
    def _engineio_client_class(self):
        return InOrder


class Client:
    """A connected client that keeps what it hears."""

    def __init__(self, combo, namespaces=("/",), auth=None):
        self.changed = threading.Condition()
        self.heard = []
        options = {"reconnection_delay": 0.05, "reconnection_delay_max": 0.5, "handle_sigint": False}
        if combo["parser"] == "MessagePack":
            options["serializer"] = "msgpack"
        self.sio = Ordered(**options)
        for ns in namespaces:
            for name in ("connect", "disconnect", "connect_error"):
                self.sio.on(name, self.note(ns, name), namespace=ns)
            self.sio.on("*", lambda event, *args, ns=ns: self.hear(ns, event, *args), namespace=ns)
            self.sio.on("question", lambda *args: (*args, "answered"), namespace=ns)
        self.how = {"transports": combo["transports"], "namespaces": list(namespaces), "auth": auth or {}, "wait_timeout": PATIENCE}
        self.url = combo["url"]

    def note(self, ns, name):
        return lambda *args: self.hear(ns, name, *args)

    def hear(self, ns, event, *args):
        with self.changed:
            self.heard.append((ns, event, list(args)))
            self.changed.notify_all()

    def all(self, event, ns="/"):
        return [args for n, e, args in self.heard if (n, e) == (ns, event)]

    def wait(self, event, count=1, ns="/"):
        with self.changed:
            if not self.changed.wait_for(lambda: len(self.all(event, ns)) >= count, PATIENCE):
                raise AssertionError(f"never heard {event}")
            return self.all(event, ns)

    def __enter__(self):
        self.sio.connect(self.url, **self.how)
        return self

    def __exit__(self, *_):
        self.sio.disconnect()


def connect(combo):
    with Client(combo) as c:
        if not c.sio.get_sid() or c.sio.get_sid() == c.sio.eio.sid:
            raise AssertionError(f"id {c.sio.get_sid()}")
        equal(c.wait("auth"), [[{}]])
        equal(c.sio.transport(), combo["transports"][-1])
    with Client(combo, ("/custom",), {"token": TASK["token"]}) as c:
        equal(c.wait("auth", ns="/custom"), [[{"token": TASK["token"]}]])


def refused(combo):
    for ns, auth, want in (
        ("/", {"token": "bad"}, {"message": "Not authorized", "data": {"code": "unauthorized", "retry": "new_token"}}),
        ("/refused", None, {"message": "Not authorized", "data": {"code": "E1"}}),
        ("/nowhere", None, {"message": "Invalid namespace"}),
    ):
        c = Client(combo, (ns,), auth)
        try:
            with c:
                raise AssertionError(f"{ns} lets in")
        except socketio.exceptions.ConnectionError:
            equal(c.wait("connect_error", ns=ns), [[want]])


def events(combo):
    with Client(combo) as c:
        c.sio.emit("message", tuple(VALUES))
        c.sio.emit("message", tuple(BINARY))
        c.sio.emit("burst", (50, 0))
        equal(c.wait("message-back", 52), [VALUES, BINARY] + [[i] for i in range(50)])


def acks(combo):
    with Client(combo) as c:
        for args in (VALUES, BINARY):
            equal(list(c.sio.call("message-with-ack", tuple(args), timeout=PATIENCE)), args)
        c.sio.emit("call-me", tuple(BINARY))
        equal(c.wait("called"), [BINARY + ["answered"]])


def large(combo):
    size = 740_000 if combo["parser"] == "MessagePack" else 999_900
    with Client(combo) as c:
        equal(c.sio.call("message-with-ack", "x" * size, timeout=PATIENCE), "x" * size)
        equal(c.sio.call("message-with-ack", b"y" * 500_000, timeout=PATIENCE), b"y" * 500_000)


def namespaces(combo):
    with Client(combo, ("/", "/custom")) as c:
        c.sio.emit("message", "main")
        c.sio.emit("message", b"custom", namespace="/custom")
        equal(c.wait("message-back"), [["main"]])
        equal(c.wait("message-back", ns="/custom"), [[b"custom"]])


def reconnect(combo):
    with Client(combo) as c:
        before = c.sio.get_sid()
        if c.sio.transport() == "polling":
            # This client does not come back after a close packet. A session that
            # the server knows no more is another matter.
            url = f"{c.url}/socket.io/?EIO=4&transport=polling&sid={c.sio.eio.sid}"
            requests.post(url, data="1", timeout=PATIENCE)
        else:
            c.sio.eio.send("no packet")  # makes the server close the connection
        c.wait("connect", 2)
        if c.sio.get_sid() == before:
            raise AssertionError("the same id")
        equal(c.sio.call("message-with-ack", 1, timeout=PATIENCE), 1)


def disconnects(combo):
    with Client(combo) as c:
        c.sio.emit("disconnect-me", True)
        c.wait("disconnect")
    with Client(combo) as c:
        c.sio.disconnect()
        c.wait("disconnect")


CHECKS = [connect, refused, events, acks, large, namespaces, reconnect, disconnects]
TRANSPORTS = {"polling": ["polling"], "websocket": ["websocket"], "upgrade": ["polling", "websocket"]}


def run(combo, printing):
    for check in CHECKS:
        begun, error = time.monotonic(), ""
        try:
            check(combo)
        except Exception as e:  # whatever it is, it is the result
            error = f"{type(e).__name__}: {e}" if isinstance(e, AssertionError) else traceback.format_exc()
        line = {k: combo[k] for k in ("way", "client", "parser", "transport")}
        line.update(check=check.__name__, error=error, ms=int(1000 * (time.monotonic() - begun)))
        with printing:
            print(json.dumps(line), flush=True)


def main():
    printing = threading.Lock()
    threads = []
    for way, url in TASK["ways"].items():
        for parser in ("JSON", "MessagePack"):
            for transport, names in TRANSPORTS.items():
                combo = {"way": way, "url": url, "client": "python-socketio 5.18.1", "parser": parser, "transport": transport, "transports": names}
                threads.append(threading.Thread(target=run, args=(combo, printing)))
    for t in threads:
        t.start()
    for t in threads:
        t.join()


main()
