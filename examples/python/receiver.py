"""A receiver with nothing but Python: it verifies, keeps the event in SQLite before it
answers, and handles it afterwards.

    COMPLIANCELAYER_SECRET=whsec_... LISTEN=127.0.0.1:8090 python3 receiver.py

With SLACK_TOKEN and SLACK_CHANNEL it posts to Slack.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from compliancelayer_webhooks import Event, WebhookError, check_secrets, parse, unwrap

SECRETS = os.environ.get("COMPLIANCELAYER_SECRET", "")  # two during a rotation, with a comma between
LIMIT = 1 << 20
ATTEMPTS = 3

# A copy is known by its id; done_at is set after the work, so that a crash repeats it.
SCHEMA = """
create table if not exists events (
    id text primary key, body blob not null, kept_at real not null,
    attempts integer not null default 0, next_at real not null default 0, done_at real, error text
)"""


def database() -> sqlite3.Connection:
    db = sqlite3.connect("events.db", timeout=10)
    db.execute("pragma journal_mode = wal")
    db.execute("pragma synchronous = full")  # on disk before the sender is answered
    return db


def keep(event: Event, body: bytes) -> bool:
    """Keeps an event; False when it was here before. One statement, so that of two copies at once one is new."""
    db = database()
    try:
        with db:
            return db.execute("insert into events (id, body, kept_at) values (?, ?, ?) on conflict do nothing", (event.id, body, time.time())).rowcount == 1
    finally:
        db.close()


def handle(event: Event) -> None:
    """What is done with an event: it is printed, and posted to Slack if there is a token.

    It may run twice for one event, after a crash. An error has it tried again.
    """
    text = describe(event)
    print(text, flush=True)
    if "SLACK_TOKEN" in os.environ:
        post(text)


def describe(event: Event) -> str:
    data = event.data
    if event.test:
        return f"It works: {data.get('message', 'a test event')}"
    if event.type == "scan.completed":
        return f"{data['domain']}: {data['score']} ({data['grade']}), {data['critical_issues']} critical"
    if event.type == "alert.triggered":
        return f"{data['severity']}: {data['title']}, {data['domain']}"
    return f"{event.type}: {event.data_text}"  # new types may be added


def post(text: str) -> None:
    # Else <!channel> in a title would call everybody.
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    request = urllib.request.Request(
        os.environ.get("SLACK_API", "https://slack.com/api") + "/chat.postMessage",
        json.dumps({"channel": os.environ["SLACK_CHANNEL"], "text": text}).encode(),
        {"Authorization": "Bearer " + os.environ["SLACK_TOKEN"], "Content-Type": "application/json; charset=utf-8"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        answer = json.load(response)
    if not answer["ok"]:
        raise RuntimeError(f"Slack: {answer['error']}")  # it says no with 200, too


def work(stop: threading.Event, kept: threading.Event) -> None:
    """Handles what was kept, oldest first: three attempts, after 2 s and 4 s, then its error stays."""
    db = database()
    while not stop.is_set():
        kept.clear()
        with db:
            db.execute("delete from events where done_at < ?", (time.time() - 7 * 86400,))
        row = db.execute(
            "select id, body, attempts from events where done_at is null and attempts < ? and next_at <= ? order by kept_at limit 1", (ATTEMPTS, time.time())
        ).fetchone()
        if row is None:
            kept.wait(1)
            continue
        event_id, body, attempts = row
        try:
            handle(parse(body))
        except Exception as error:
            print(f"event {event_id}, attempt {attempts + 1}: {error!r}", file=sys.stderr)
            with db:
                db.execute("update events set attempts = attempts + 1, next_at = ?, error = ? where id = ?", (time.time() + 2 * 2**attempts, repr(error), event_id))
        else:
            with db:
                db.execute("update events set done_at = ? where id = ?", (time.time(), event_id))
    db.close()


class Receiver(BaseHTTPRequestHandler):
    timeout = 10  # seconds for a slow sender
    kept = threading.Event()

    def do_POST(self) -> None:
        text = self.headers.get("Content-Length", "")
        if self.path != "/webhooks/compliancelayer":
            return self.answer(404, "not found")
        if not (text.isascii() and text.isdigit() and len(text) < 15):
            return self.answer(411, "length required")
        length = int(text)
        # Of a body that is too large twice the limit is read: who is still sending does
        # not read the answer.
        body = self.rfile.read(min(length, 2 * LIMIT))
        if length > LIMIT:
            return self.answer(413, "too large")
        try:
            event = unwrap(self.headers, body, SECRETS)
        except WebhookError as error:
            print(error, file=sys.stderr)
            return self.answer(error.status, error.code)
        try:
            new = keep(event, body)
        except sqlite3.Error as error:
            print(error, file=sys.stderr)
            return self.answer(503, "not kept")  # the sender comes again
        self.kept.set()
        self.answer(200, "kept" if new else "known")

    def answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


class Server(ThreadingHTTPServer):
    request_queue_size = 128  # a burst waits for its turn; 5 would make it wait for seconds


def main() -> None:
    check_secrets(SECRETS)
    with database() as db:
        db.execute(SCHEMA)
    db.close()
    host, _, port = os.environ.get("LISTEN", "127.0.0.1:8090").rpartition(":")
    server = Server((host, int(port)), Receiver)
    stop = threading.Event()
    worker = threading.Thread(target=work, args=(stop, Receiver.kept))
    worker.start()
    # shutdown waits for serve_forever, which this very thread is in.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"listening on {host}:{port}", flush=True)
    try:
        server.serve_forever(poll_interval=0.1)
    finally:
        server.server_close()
        stop.set()
        Receiver.kept.set()
        worker.join()


if __name__ == "__main__":
    main()
