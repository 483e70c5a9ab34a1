from __future__ import annotations

import ast
import base64
import hashlib
import hmac
import pickle
import time
import traceback
import unittest
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import compliancelayer_webhooks
from compliancelayer_webhooks import WebhookError, check_secrets, parse, unwrap, verify

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
OTHER = "whsec_ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7"


def signed(data: str, at: float = 0, event_id: str = "0195") -> tuple[dict[str, str], bytes]:
    timestamp = str(int(at or time.time()))
    body = f'{{"id":"{event_id}","type":"scan.completed","created_at":"2026-03-08T12:34:56.789Z","data":{data}}}'.encode()
    key = base64.b64decode(SECRET[6:])
    mac = hmac.new(key, f"{event_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return {"webhook-id": event_id, "webhook-timestamp": timestamp, "webhook-signature": "v1," + base64.b64encode(mac).decode()}, body


class Trap:
    """Raises whatever is asked of it."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("trap")

    def __iter__(self) -> Any:
        raise RuntimeError("trap")


class Api(unittest.TestCase):
    def refused(self, code: str, work: Any, *arguments: Any, says: str = ".") -> WebhookError:
        with self.assertRaises(WebhookError, msg=repr(arguments)) as caught:
            work(*arguments)
        self.assertEqual(caught.exception.code, code, repr(arguments))
        self.assertRegex(str(caught.exception), says)
        return caught.exception

    def test_the_clock_is_read_when_now_is_left_out(self) -> None:
        self.assertEqual(verify(*signed("{}"), [SECRET]).scheme, "standard")
        self.refused("too_old", verify, *signed("{}", time.time() - 400), [SECRET])
        self.refused("too_new", verify, *signed("{}", time.time() + 400), [SECRET])

    def test_the_event(self) -> None:
        event = unwrap(*signed('{"domain":"example.com","n":1.0}'), [SECRET])
        self.assertEqual((event.id, event.type, event.test), ("0195", "scan.completed", False))
        self.assertEqual(event.created_at, datetime(2026, 3, 8, 12, 34, 56, 789000, timezone.utc))
        self.assertEqual((event.data, event.data_text), ({"domain": "example.com", "n": 1.0}, '{"domain":"example.com","n":1.0}'))
        self.assertTrue(unwrap(*signed('{"test":true}'), [SECRET]).test)
        for data in ('{"test":1}', '{"test":"true"}', "null", "[true]", '"test"'):
            self.assertFalse(unwrap(*signed(data), [SECRET]).test, data)

    def test_several_secrets(self) -> None:
        request = signed("{}")
        self.assertEqual(verify(*request, f"{OTHER}, {SECRET}").secret_index, 1)
        self.assertEqual(verify(*request, SECRET).secret_index, 0)
        self.assertEqual(verify(*request, (None, "", SECRET)).secret_index, 2)
        for none in (None, "", " , ", [], (), [None, ""]):
            self.refused("no_secret", verify, *request, none)
            self.refused("no_secret", check_secrets, none)
        for bad in ([5], ["whsec_x"], "password", [SECRET, [SECRET]], [SECRET.encode()], [SECRET + "\n"]):
            self.refused("bad_secret", verify, *request, bad)
            self.refused("bad_secret", check_secrets, bad)
        for wrong in (5, b"x", {}, Trap(), object()):
            self.refused("bad_argument", verify, *request, wrong)
        check_secrets([OTHER, SECRET])

    def test_a_parsed_body_is_refused_and_the_error_says_what_to_do(self) -> None:
        headers, body = signed("{}")
        released = memoryview(body)
        released.release()
        for wrong in ({}, {"id": "0195"}, [], None, 5, True, Trap(), released):
            for work, arguments in ((verify, (headers, wrong, [SECRET])), (unwrap, (headers, wrong, [SECRET])), (parse, (wrong,))):
                self.refused("bad_argument", work, *arguments, says=r"raw body.*request\.get_data\(\)")
        for right in (bytearray(body), memoryview(body), body.decode()):
            self.assertEqual(unwrap(headers, right, [SECRET]).id, "0195")

    def test_nothing_but_a_webhook_error_is_raised(self) -> None:
        headers, body = signed("{}")
        for wrong in (None, 5, "webhook-id: a", b"x", Trap(), [1], [["a"]], [("webhook-id", object())], {"webhook-id": {}}, {"webhook-id": [None]}, {None: 1}):
            self.refused("bad_argument", verify, wrong, body, [SECRET])
            self.refused("bad_argument", unwrap, wrong, body, [SECRET])
        for now in ("now", float("nan"), float("inf"), datetime.now(timezone.utc), {}, Trap()):
            self.refused("bad_argument", verify, headers, body, [SECRET], now)
        self.refused("too_old", verify, headers, body, [SECRET], 10**400)
        for tolerance in (float("nan"), None, "x", -1, 0, {}):
            self.assertEqual(verify(headers, body, [SECRET], None, tolerance).scheme, "standard")
            self.refused("too_old", verify, headers, body, [SECRET], time.time() + 400, tolerance)
        self.assertEqual(verify(headers, body, [SECRET], time.time() + 4e9, float("inf")).scheme, "standard")
        for odd in ("\udcff", "\ud800", "é", "\x00"):
            for name in headers:
                with self.assertRaises(WebhookError):
                    verify({**headers, name: headers[name] + odd}, body, [SECRET])
            self.refused("mismatch", verify, headers, odd, [SECRET])
            self.refused("bad_event", parse, odd)

    def test_a_body_deeper_than_python_can_read(self) -> None:
        deep = "[" * 100_000 + "]" * 100_000
        self.refused("bad_event", unwrap, *signed(deep), [SECRET])
        self.refused("bad_event", parse, "[" * 1_000_000)

    def test_a_number_longer_than_python_takes(self) -> None:
        event = unwrap(*signed('{"n":' + "7" * 10_000 + "}"), [SECRET])
        self.assertEqual((event.data, len(event.data_text)), ({"n": float("inf")}, 10_006))

    def test_an_error_quotes_nothing_and_says_how_to_answer(self) -> None:
        headers, body = signed('{"private":true}')
        for arguments, status in (
            ((headers, body, [OTHER]), 401),
            (({}, body, [SECRET]), 401),
            ((headers, body + b" ", [SECRET]), 401),
            ((headers, body, [SECRET + "="]), 500),
            ((headers, body, []), 500),
            ((headers, {"private": 1}, [SECRET]), 500),
        ):
            with self.assertRaises(WebhookError) as caught:
                unwrap(*arguments)  # type: ignore[arg-type]
            error = caught.exception
            self.assertEqual(error.status, status, error.code)
            said = "".join(traceback.format_exception(type(error), error, None)) + repr(error)
            self.assertNotRegex(said, "AAECAwQF|ZGVmZ2hp|private|v1,")
            again = pickle.loads(pickle.dumps(error))
            self.assertEqual((again.code, again.status, str(again)), (error.code, error.status, str(error)))
        self.assertEqual(self.refused("bad_event", parse, "{}").status, 400)

    def test_every_name_is_there(self) -> None:
        for name in compliancelayer_webhooks.__all__:
            self.assertTrue(getattr(compliancelayer_webhooks, name).__doc__ or name == "DEFAULT_TOLERANCE", name)

    def test_the_oldest_python_can_read_it(self) -> None:
        files = list(Path(compliancelayer_webhooks.__file__).parent.glob("*.py"))
        self.assertEqual(len(files), 4)
        for file in files:
            ast.parse(file.read_text(encoding="utf-8"), feature_version=(3, 9))
