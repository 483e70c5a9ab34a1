"""What the example does when something fails."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sqlite3
import tempfile
import threading
import unittest
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Callable, Optional
from unittest import mock

import receiver


class Stop(threading.Event):
    """Writes down how long it was to be waited for, and does not wait."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[Optional[float]] = []

    def wait(self, timeout: Optional[float] = None) -> bool:
        self.pauses.append(timeout)
        return self.is_set()


class Flaky(sqlite3.Connection):
    """A database that is locked the first time for each of some statements."""

    locked: list[str] = []

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        for start in self.locked:
            if sql.startswith(start):
                self.locked.remove(start)
                raise sqlite3.OperationalError("database is locked")
        return super().execute(sql, *values)


class Worker(unittest.TestCase):
    def setUp(self) -> None:
        at, before = tempfile.TemporaryDirectory(), os.getcwd()
        self.addCleanup(at.cleanup)
        self.addCleanup(os.chdir, before)
        os.chdir(at.name)
        with contextlib.closing(receiver.database()) as db, db:
            db.execute(receiver.SCHEMA)
            db.execute(receiver.INDEX)
        self.handled: list[str] = []
        Flaky.locked = []
        self.stop = Stop()

    def keep(self, *ids: str) -> None:
        for event_id in ids:
            body = json.dumps({"id": event_id, "type": "a.b", "created_at": "2026-01-02T03:04:05Z", "data": {}}).encode()
            self.assertTrue(receiver.keep(receiver.parse(body), body))

    def work(self, last: str, due: Optional[Callable[[str], None]] = None) -> str:
        """Runs the worker until it has handled the last event; gives what it said."""

        def handle(event: receiver.Event) -> None:
            self.handled.append(event.id)
            if due is not None:
                due(event.id)
            if event.id == last:
                self.stop.set()

        with mock.patch.object(receiver, "handle", handle), contextlib.redirect_stderr(io.StringIO()) as said:
            receiver.work(sqlite3.connect("events.db", factory=Flaky), self.stop, threading.Event())
        return said.getvalue()

    def rows(self) -> list[Any]:
        with contextlib.closing(receiver.database()) as db:
            return db.execute("select id, attempts, done_at is not null from events order by id").fetchall()

    def test_goes_on_when_the_database_was_locked(self) -> None:
        self.keep("a", "b")
        Flaky.locked = ["delete", "select", "update"]
        said = self.work("b")
        self.assertEqual(said.count("database is locked"), 3)
        self.assertEqual(self.handled, ["a", "b"])  # no event twice, though its mark came late
        self.assertEqual(self.rows(), [("a", 0, 1), ("b", 0, 1)])

    def test_ends_while_the_database_is_locked(self) -> None:
        self.keep("a")
        Flaky.locked = ["update"]
        self.assertIn("database is locked", self.work("a"))
        self.assertEqual(self.rows(), [("a", 0, 0)])

    def test_waits_while_what_it_needs_is_away(self) -> None:
        self.keep("a", "b")
        asked = [0, 0, 0, 0, 0, 0, 0, 7, 1e12]

        def away(event_id: str) -> None:
            if event_id == "a" and asked:
                raise receiver.Unavailable("away", asked.pop(0))

        self.work("b", away)
        self.assertEqual(self.stop.pauses, [2, 4, 8, 16, 32, 60, 60, 7, 3600])
        self.assertEqual(self.handled, ["a"] * 10 + ["b"])
        self.assertEqual(self.rows(), [("a", 0, 1), ("b", 0, 1)])

    def test_counts_any_other_error(self) -> None:
        self.keep("a", "b")

        def fail(event_id: str) -> None:
            if event_id == "a":
                raise RuntimeError("no")

        self.work("b", fail)
        self.assertEqual(self.rows(), [("a", 1, 0), ("b", 0, 1)])

    def test_looks_at_what_is_left_alone(self) -> None:
        with contextlib.closing(receiver.database()) as db:
            plan = db.execute("explain query plan " + receiver.OLDEST, (3, 0.0)).fetchall()
        self.assertIn("events_waiting", str(plan))
        self.assertNotIn("TEMP B-TREE", str(plan))


def no(error: str) -> str:
    return json.dumps({"ok": False, "error": error})


class Slack(unittest.TestCase):
    def test_trouble(self) -> None:
        answer = (0, {}, "")

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                status, headers, body = answer
                self.rfile.read(int(self.headers["Content-Length"]))
                if status == 0:
                    return  # hangs up
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body.encode())

            def do_GET(self) -> None:  # who follows a redirect is answered as if it were done
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b'{"ok":true}')

            def log_message(self, *_: Any) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        self.addCleanup(server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        env = {"SLACK_TOKEN": "xoxb-1-example", "SLACK_CHANNEL": "#c", "SLACK_API": f"http://127.0.0.1:{server.server_port}"}
        for name, answer, away, seconds in (
            ("hangs up", (0, {}, ""), True, 0),
            ("breaks off", (200, {"Content-Length": "99"}, "{"), True, 0),
            ("a page", (200, {}, "<html>"), True, 0),
            ("a redirect", (302, {"Location": "/elsewhere"}, ""), True, 0),
            ("429", (429, {"Retry-After": "30"}, ""), True, 30),
            ("500", (500, {}, "oops"), True, 0),
            ("503", (503, {"Retry-After": "5"}, ""), True, 5),
            ("a date", (503, {"Retry-After": "Fri, 02 Jan 2026 03:04:05 GMT"}, ""), True, 0),
            ("ratelimited", (200, {"Retry-After": "3"}, no("ratelimited")), True, 3),
            ("service_unavailable", (200, {}, no("service_unavailable")), True, 0),
            ("fatal_error", (200, {}, no("fatal_error")), True, 0),
            ("internal_error", (200, {}, no("internal_error")), True, 0),
            ("channel_not_found", (200, {}, no("channel_not_found")), False, 0),
            ("400", (400, {}, ""), False, 0),
        ):
            with self.subTest(name), mock.patch.dict(os.environ, env), self.assertRaises(Exception) as got:
                receiver.post("a text")
            self.assertEqual(isinstance(got.exception, receiver.Unavailable), away, f"{name}: {got.exception!r}")
            self.assertEqual(getattr(got.exception, "seconds", 0), seconds, name)
