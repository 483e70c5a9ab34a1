"""The check of a request's signature."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import math
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable, Optional, Union

from ._error import WebhookError, body_bytes
from ._event import Event, body_id, parse

Headers = Union[Mapping[str, Any], Iterable[tuple[Any, Any]]]
Body = Union[bytes, bytearray, memoryview, str]
Secrets = Union[str, Sequence[Optional[str]]]

DEFAULT_TOLERANCE = 300
"""How far the time of a request may be from now, both ways, in seconds."""

_ID, _TIMESTAMP, _STANDARD = "webhook-id", "webhook-timestamp", "webhook-signature"
_SIMPLE = "x-compliancelayer-signature"


@dataclass(frozen=True)
class Verified:
    """How a request was verified."""

    scheme: str
    """``standard`` is webhook-signature, which covers the time; ``simple`` is
    X-ComplianceLayer-Signature, which covers the body alone, so that only skipping known
    ids keeps an old request from being sent again."""
    secret_index: int
    """The place of the matching secret among those given."""


@dataclass(frozen=True, repr=False)
class _Key:
    index: int
    whole: bytes  # the key of the simple scheme
    decoded: bytes  # the key of the standard one


def verify(headers: Headers, body: Body, secrets: Secrets, now: Optional[float] = None, tolerance: float = DEFAULT_TOLERANCE) -> Verified:
    """Checks that a request was signed with one of the secrets, in constant time.

    When webhook-signature is there it decides, else X-ComplianceLayer-Signature does.

    :param headers: those of the request: a mapping whose values are str or, for repeated
        headers, lists; a ``Message`` as of http.server; or pairs, which may be bytes.
    :param body: the raw body, the very bytes that arrived.
    :param secrets: ``whsec_...`` each: during a rotation the old one and the new one.
        Empty ones are passed over. A str may hold several, with commas between.
    :param now: unix seconds to compare with; the clock's when left out.
    :param tolerance: how far the request's time may be from now; 300 when not above 0.
    :raises WebhookError: and nothing else, but MemoryError where there is no memory left.
    """
    try:
        return _verify(headers, body_bytes(body), secrets, now, tolerance)
    except (WebhookError, MemoryError):
        raise
    except Exception as error:  # of an object that only looks like headers or secrets
        raise WebhookError("bad_argument", "what was passed could not be read") from error


def unwrap(headers: Headers, body: Body, secrets: Secrets, now: Optional[float] = None, tolerance: float = DEFAULT_TOLERANCE) -> Event:
    """Verifies a request, as :func:`verify` does, and reads its event, as :func:`parse` does.

    Raises what :func:`verify` raises.
    """
    raw = body_bytes(body)
    verify(headers, raw, secrets, now, tolerance)
    return parse(raw)


def check_secrets(secrets: Secrets) -> None:
    """Checks that there is a secret and that each is one.

    Call it when the program starts, so that a mistake in its settings is seen then and
    not at the first request. Raises ``WebhookError`` with ``no_secret`` or ``bad_secret``.
    """
    if not _keys(secrets):
        raise WebhookError("no_secret")


def _verify(headers: Headers, raw: bytes, secrets: Secrets, now: Optional[float], tolerance: float) -> Verified:
    keys = _keys(secrets)
    values = _pick(headers)
    if values[_STANDARD]:
        return _verify_standard(values, raw, keys, now, tolerance)
    if not values[_SIMPLE]:
        raise WebhookError("no_signature")
    signature = _single(values, _SIMPLE, "X-ComplianceLayer-Signature")
    if re.fullmatch("[0-9a-f]{64}", signature) is None:
        raise WebhookError("bad_header", "X-ComplianceLayer-Signature is not 64 lower-case hexadecimal characters")
    return Verified("simple", _match([signature], keys, lambda key: hmac.new(key.whole, raw, hashlib.sha256).hexdigest().encode()))


def _verify_standard(values: dict[str, list[str]], body: bytes, keys: list[_Key], now: Optional[float], tolerance: float) -> Verified:
    event_id = _single(values, _ID, _ID)
    # A full stop would let the border between id and timestamp be moved.
    if "." in event_id:
        raise WebhookError("bad_header", "webhook-id contains a full stop")
    timestamp = _single(values, _TIMESTAMP, _TIMESTAMP)
    if re.fullmatch("0|[1-9][0-9]{0,10}", timestamp) is None:
        raise WebhookError("bad_header", "webhook-timestamp is not whole unix seconds")
    entries = [entry for line in values[_STANDARD] for entry in re.split(r"[\t\n\v\f\r ]+", line) if entry.startswith("v1,")]
    if not entries:
        raise WebhookError("no_signature", "webhook-signature lists no v1 signature")
    signed = _bytes(f"{event_id}.{timestamp}.") + body
    index = _match(entries, keys, lambda key: b"v1," + base64.b64encode(hmac.digest(key.decoded, signed, "sha256")))

    # From here on the request is known to be genuine, so that the errors below tell the
    # truth about its time and its id.
    _check_age(_seconds(now) - int(timestamp), tolerance)
    in_body = body_id(body)
    if in_body not in ("", event_id):
        raise WebhookError("bad_header", "webhook-id is not the id in the body")
    return Verified("standard", index)


def _match(candidates: list[str], keys: list[_Key], sign: Callable[[_Key], bytes]) -> int:
    """Gives the place of the secret whose signature is among the candidates."""
    if not keys:
        raise WebhookError("no_secret")
    for key in keys:
        want = sign(key)
        for candidate in candidates:
            if hmac.compare_digest(_bytes(candidate), want):
                return key.index
    raise WebhookError("mismatch")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _keys(secrets: Secrets) -> list[_Key]:
    """Reads the secrets; an empty one is passed over, as that of an empty variable."""
    if secrets is None:
        return []
    texts: Any = re.split(r"[\s,]+", secrets) if isinstance(secrets, str) else secrets
    if not isinstance(texts, Sequence) or isinstance(texts, (bytes, bytearray)):
        raise WebhookError("bad_argument", "secrets must be a list of str")
    keys = []
    for index, text in enumerate(texts):
        if text is None or text == "":
            continue
        decoded = _decode(text)
        if decoded is None:
            raise WebhookError("bad_secret")
        keys.append(_Key(index, _bytes(text), decoded))
    return keys


def _decode(secret: Any) -> Optional[bytes]:
    """Reads the key in a secret: 24 to 64 bytes, spelled in the one right way."""
    if not isinstance(secret, str) or not secret.startswith("whsec_"):
        return None
    encoded = secret[len("whsec_") :]
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    if not 24 <= len(key) <= 64 or base64.b64encode(key).decode() != encoded:
        return None
    return key


def _pick(headers: Headers) -> dict[str, list[str]]:
    """Picks out the known headers. Each gives the list of its values."""
    picked: dict[str, list[str]] = {_ID: [], _TIMESTAMP: [], _STANDARD: [], _SIMPLE: []}
    for name, value in _pairs(headers):
        # Only ASCII: lower() makes a k of the sign for Kelvin.
        known = _str(name).lower() if _str(name).isascii() else ""
        if known in picked and value is not None:
            several = isinstance(value, (list, tuple))
            picked[known].extend(_str(one) for one in (value if several else [value]))
    return picked


def _pairs(headers: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(headers, (str, bytes)) or headers is None:
        raise WebhookError("bad_argument", "headers must be the headers of the request: a mapping or pairs")
    for name, value in headers.items() if hasattr(headers, "items") else headers:
        yield name, value


def _str(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("latin-1")  # as WSGI and ASGI have it
    if isinstance(value, int):
        return str(value)
    raise WebhookError("bad_argument", "a header is neither str nor bytes")


def _single(values: dict[str, list[str]], name: str, shown: str) -> str:
    """Gives the value of a header that must be there exactly once.

    Of a repeated one nobody knows which value the next reader takes.
    """
    found = values[name]
    if not found or found[0] == "":
        raise WebhookError("bad_header", f"{shown} is missing")
    if len(found) > 1:
        raise WebhookError("bad_header", f"{shown} is there {len(found)} times")
    return found[0]


def _seconds(now: Optional[float]) -> float:
    if now is None:
        return time.time()
    if not isinstance(now, (int, float)) or not -math.inf < now < math.inf:
        raise WebhookError("bad_argument", "now must be unix seconds, as time.time() gives")
    return now


def _check_age(age: float, tolerance: float) -> None:
    if not isinstance(tolerance, (int, float)) or not tolerance > 0:
        tolerance = DEFAULT_TOLERANCE
    if age > tolerance:
        raise WebhookError("too_old")
    if age < -tolerance:
        raise WebhookError("too_new")
