"""Thousands of changed requests, the same ones every time: none is accepted, and nothing
but a WebhookError is raised."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import unittest

from compliancelayer_webhooks import WebhookError, parse, unwrap, verify

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
AT = 1772973296


def simple(body: bytes) -> dict[str, str]:
    return {"X-ComplianceLayer-Signature": hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}


def genuine(n: int) -> tuple[dict[str, str], bytes]:
    event_id = f"0195-{n}"
    body = f'{{"id":"{event_id}","type":"scan.completed","created_at":"2026-03-08T12:34:56.789Z","data":{{"n":{n},"a":["é",{{"b":null}}]}}}}'.encode()
    if n % 2 == 0:
        return simple(body), body
    mac = hmac.new(base64.b64decode(SECRET[6:]), f"{event_id}.{AT}.".encode() + body, hashlib.sha256).digest()
    return {"webhook-id": event_id, "webhook-timestamp": str(AT), "webhook-signature": "v1," + base64.b64encode(mac).decode()}, body


def mutate(chance: random.Random, text: bytes) -> bytes:
    """Changes, removes, adds or cuts off bytes."""
    at = chance.randrange(len(text))
    kind = chance.randrange(4)
    if kind == 0:
        return text[:at] + bytes([text[at] ^ chance.randrange(1, 256)]) + text[at + 1 :]
    if kind == 1:
        return text[:at] + text[at + 1 :]
    if kind == 2:
        return text[:at] + bytes([chance.randrange(256)]) + text[at:]
    return text[:at]


class Fuzz(unittest.TestCase):
    def test_ten_thousand_changed_requests(self) -> None:
        chance = random.Random(20260308)
        for n in range(10_000):
            headers, body = genuine(n)
            self.assertEqual(unwrap(headers, body, [SECRET], AT).data["n"], n)
            what = chance.choice(["body", *headers])
            if what == "body":
                changed = mutate(chance, body)
                if changed == body:  # a byte that was there twice
                    continue
                body = changed
            else:
                was = headers[what]
                headers[what] = mutate(chance, was.encode()).decode("latin-1")
                if headers[what].strip() == was:  # white space around an entry is no part of it
                    continue
            with self.assertRaises(WebhookError, msg=f"{n}: the {what} was changed: {headers} {body!r}"):
                unwrap(headers, body, [SECRET], AT)

    def test_thousands_of_broken_bodies_under_a_right_signature(self) -> None:
        chance, events = random.Random(123456), 0
        for n in range(6_000):
            _, body = genuine(n)
            for _ in range(chance.randrange(1, 5)):
                body = mutate(chance, body) if body else body
            self.assertEqual(verify(simple(body), body, [SECRET]).scheme, "simple")
            try:
                event = parse(body)
            except WebhookError as error:
                self.assertEqual(error.code, "bad_event")
                continue
            self.assertEqual(event.data, json.loads(event.data_text))
            self.assertEqual(event.data, json.loads(body)["data"])
            events += 1
        self.assertTrue(100 < events < 5_900, f"{events} were events")
