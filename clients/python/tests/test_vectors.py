"""Every case of testdata/signatures.json, which Go and Node are held to as well."""

from __future__ import annotations

import base64
import json
import os
import unittest
from email.message import Message
from pathlib import Path
from typing import Any, Optional

from compliancelayer_webhooks import WebhookError, parse, unwrap, verify

FILE = os.environ.get("SIGNATURES") or Path(__file__).parents[3] / "testdata" / "signatures.json"
CASES = json.loads(Path(FILE).read_text(encoding="utf-8"))


def as_mapping(pairs: list[list[str]]) -> dict[str, Any]:
    """A name that is there several times in one spelling has a list."""
    mapping: dict[str, Any] = {}
    for name, value in pairs:
        mapping.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in mapping.items()}


def as_message(pairs: list[list[str]]) -> Optional[Message]:
    """What http.server gives, or None when a Message could not have these."""
    message = Message()
    for name, value in pairs:
        if not name.isascii() or not value.isprintable() or not value.isascii():
            return None
        message[name] = value
    return message


def as_bytes(pairs: list[list[str]]) -> Optional[list[tuple[bytes, bytes]]]:
    """What ASGI gives, or None for letters outside ASCII, which it writes otherwise."""
    if any(not (name + value).isascii() for name, value in pairs):
        return None
    return [(name.encode(), value.encode()) for name, value in pairs]


class Vectors(unittest.TestCase):
    maxDiff = None

    def verdict(self, case: dict[str, Any], headers: Any, body: Any) -> dict[str, Any]:
        """What verify and parse say to a case, written as the file writes it."""
        arguments = (headers, body, case["secrets"], case["now"], case["tolerance"])
        got: dict[str, Any] = {"ok": False, "secret_index": 0}
        try:
            verified = verify(*arguments)
            got.update(ok=True, scheme=verified.scheme, secret_index=verified.secret_index)
        except WebhookError as error:
            self.assertEqual(error.code, self.refused(arguments))
            return {**got, "error": error.code}
        try:
            event = parse(body)
        except WebhookError as error:
            self.assertEqual(error.code, self.refused(arguments))
            return {**got, "event_error": error.code}
        self.assertEqual(event, unwrap(*arguments))
        created_at = event.created_at.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
        return {**got, "event": {"id": event.id, "type": event.type, "created_at": created_at, "data": event.data_text}}

    def refused(self, arguments: Any) -> str:
        with self.assertRaises(WebhookError) as caught:
            unwrap(*arguments)
        return caught.exception.code

    def every(self, headers: Any, body: Any = bytes) -> int:
        held = 0
        for case in CASES:
            raw = base64.b64decode(case["body"])
            try:
                given = headers(case["headers"]), body(raw)
            except UnicodeDecodeError:
                continue
            if given[0] is None:
                continue
            self.assertEqual(self.verdict(case, *given), case["want"], case["name"])
            held += 1
        return held

    def test_the_file_is_whole(self) -> None:
        self.assertGreaterEqual(len(CASES), 400)

    def test_pairs(self) -> None:
        self.assertEqual(self.every(lambda pairs: pairs), len(CASES))

    def test_mapping(self) -> None:
        self.assertEqual(self.every(as_mapping), len(CASES))

    def test_message(self) -> None:
        self.assertGreater(self.every(as_message), len(CASES) / 2)

    def test_pairs_of_bytes(self) -> None:
        self.assertGreater(self.every(as_bytes), len(CASES) / 2)

    def test_body_as_str(self) -> None:
        self.assertGreater(self.every(lambda pairs: pairs, lambda raw: raw.decode()), len(CASES) / 2)

    def test_body_as_memoryview(self) -> None:
        self.assertEqual(self.every(lambda pairs: pairs, memoryview), len(CASES))
