"""A receiver with nothing but Python: it verifies, keeps the event in SQLite before it
answers, and handles it afterwards.

    COMPLIANCELAYER_SECRET=whsec_... LISTEN=127.0.0.1:8090 python3 receiver.py

With SLACK_TOKEN and SLACK_CHANNEL it posts to Slack; SLACK_API=http://127.0.0.1:9000/api has it
post to a stand-in of yours, in tests.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import signal
import sqlite3
import sys
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from compliancelayer_webhooks import Event, WebhookError, check_secrets, parse, unwrap

SECRETS = os.environ.get("COMPLIANCELAYER_SECRET", "")  # two during a rotation, with a comma between
LIMIT = 1 << 20
ATTEMPTS = 3
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 60.0  # seconds; twice as long each time
LONGEST_ASKED = 3600.0  # a Retry-After beyond it is a mistake

# A copy is known by its id; done_at is set after the work, so that a crash repeats it.
SCHEMA = """
create table if not exists events (
    id text primary key, body blob not null, kept_at real not null,
    attempts integer not null default 0, next_at real not null default 0, done_at real, error text
)"""
# Else each turn of the worker would look through all that is kept for copies.
INDEX = "create index if not exists events_waiting on events (kept_at) where done_at is null"
OLDEST = "select id, body, attempts from events where done_at is null and attempts < ? and next_at <= ? order by kept_at limit 1"


def database() -> sqlite3.Connection:
    db = sqlite3.connect("events.db", timeout=10, check_same_thread=False)  # main opens the worker's
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


class Unavailable(Exception):
    """What a handler raises when what it needs is away: the event waits, and uses up no attempt.

    With the seconds to wait if they are known, else it is 2, 4 ... 60.
    """

    def __init__(self, message: str, seconds: float = 0) -> None:
        super().__init__(message)
        self.seconds = seconds


def handle(event: Event) -> None:
    """What is done with an event: it is printed, and posted to Slack if there is a token.

    It may run twice for one event, after a crash. An error has it tried again, three times
    in all; while Slack is away it waits.
    """
    text = describe(event)
    print(text, flush=True)
    if os.environ.get("SLACK_TOKEN"):
        post(text)


def describe(event: Event) -> str:
    data = event.data
    if event.test:
        return f"It works: {data.get('message', 'a test event')}"
    if event.type == "scan.completed":
        return f"{data['domain']}: {data['score']} ({data['grade']}), {data.get('critical_issues', '?')} critical"
    if event.type == "alert.triggered":
        return f"{data['severity']}: {data['title']}, {data['domain']}"
    return f"{event.type}: {event.data_text}"  # new types may be added


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Has a redirect be an error with its status: followed, it would be handed the token."""

    def redirect_request(self, *_: Any) -> None:
        return None


SLACK = urllib.request.build_opener(NoRedirect)


def post(text: str) -> None:
    # Else <!channel> in a title would call everybody.
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    request = urllib.request.Request(
        os.environ.get("SLACK_API", "https://slack.com/api") + "/chat.postMessage",
        json.dumps({"channel": os.environ["SLACK_CHANNEL"], "text": text}).encode(),
        {"Authorization": "Bearer " + os.environ["SLACK_TOKEN"], "Content-Type": "application/json; charset=utf-8"},
    )
    try:
        with SLACK.open(request, timeout=10) as response:
            headers, answer = response.headers, json.load(response)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != 429 and 400 <= error.code < 500:
            raise
        raise Unavailable(f"Slack answered {error.code}", retry_after(error.headers)) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unavailable(f"Slack cannot be reached: {error}") from None
    if answer.get("error") in ("ratelimited", "service_unavailable", "fatal_error", "internal_error"):
        raise Unavailable(f"Slack: {answer['error']}", retry_after(headers))
    if not answer["ok"]:
        raise RuntimeError(f"Slack: {answer['error']}")  # it says no with 200, too


def retry_after(headers: http.client.HTTPMessage) -> float:
    text = headers.get("Retry-After", "")
    return float(text) if re.fullmatch("[0-9]{1,9}", text) else 0


def execute(db: sqlite3.Connection, stop: threading.Event, sql: str, *values: Any) -> Any:
    """Gives the first row. While the database is locked or the disk full it tries again, so
    that no event is handled twice for that; when it is told to stop it gives None."""
    while True:
        try:
            with db:
                return db.execute(sql, values).fetchone()
        except sqlite3.Error as error:
            print(f"the database is tried again: {error}", file=sys.stderr, flush=True)
            if stop.wait(FIRST_PAUSE):
                return None


def work(db: sqlite3.Connection, stop: threading.Event, kept: threading.Event) -> None:
    """Handles what was kept, oldest first: three attempts, after 2 s and 4 s, then its error stays."""
    pause, cleaned = FIRST_PAUSE, -3600.0
    while not stop.is_set():
        kept.clear()
        if time.monotonic() - cleaned >= 3600:
            cleaned = time.monotonic()
            execute(db, stop, "delete from events where done_at < ?", time.time() - 7 * 86400)
        row = execute(db, stop, OLDEST, ATTEMPTS, time.time())
        if row is None:
            kept.wait(1)
            continue
        event_id, body, attempts = row
        try:
            handle(parse(body))
        except Unavailable as error:
            print(f"event {event_id} waits: {error}", file=sys.stderr, flush=True)
            stop.wait(min(max(error.seconds, 0), LONGEST_ASKED) or pause)  # those behind it wait, too
            pause = min(2 * pause, LONGEST_PAUSE)
            continue
        except Exception as error:
            print(f"event {event_id}, attempt {attempts + 1}: {error!r}", file=sys.stderr, flush=True)
            next_at = time.time() + FIRST_PAUSE * 2**attempts
            execute(db, stop, "update events set attempts = attempts + 1, next_at = ?, error = ? where id = ?", next_at, repr(error), event_id)
        else:
            execute(db, stop, "update events set done_at = ? where id = ?", time.time(), event_id)
        pause = FIRST_PAUSE
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
    # An error of http.client quotes a header that it cannot send.
    if re.fullmatch(r"[\x21-\x7e]*", os.environ.get("SLACK_TOKEN", "")) is None:
        raise ValueError("SLACK_TOKEN is not a token")
    if os.environ.get("SLACK_TOKEN") and not os.environ.get("SLACK_CHANNEL"):
        raise ValueError("SLACK_TOKEN is set and SLACK_CHANNEL is not: set it to the ID of a channel")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # events may hold what no terminal can show
    db = database()
    with db:
        db.execute(SCHEMA)
        db.execute(INDEX)
    host, _, port = os.environ.get("LISTEN", "127.0.0.1:8090").rpartition(":")
    server = Server((host, int(port)), Receiver)
    stop = threading.Event()
    worker = threading.Thread(target=work, args=(db, stop, Receiver.kept))
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
