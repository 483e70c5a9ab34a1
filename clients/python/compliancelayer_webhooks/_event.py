"""Events: how a body is read, and the types of what it holds."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Optional, TypedDict, Union

from ._error import WebhookError, body_bytes

Value = Union[str, int, float, bool, None]


class ScanCompleted(TypedDict):
    """The data of scan.completed: a domain scan ended well."""

    scan_id: int
    job_id: int
    domain: str
    score: int
    grade: str
    issues_count: int
    critical_issues: int
    high_issues: int
    medium_issues: int
    low_issues: int
    scanned_at: str
    scan_duration_ms: int


class AlertTriggered(TypedDict, total=False):
    """The data of alert.triggered: an alert condition is met."""

    alert_id: int
    alert_type: str  # score_drop, critical_issue, cert_expired, cert_expiring_soon, config_change
    severity: str  # critical, high, medium, low, info
    domain: str
    title: str
    message: str
    old_value: Value
    new_value: Value
    score: Optional[int]
    grade: Optional[str]
    created_at: str


class ScoreChanged(TypedDict, total=False):
    """The data of score.changed: a domain's score moved."""

    domain: str
    old_value: Value
    new_value: Value
    score: Optional[int]
    grade: Optional[str]


class DomainAdded(TypedDict):
    """The data of domain.added."""

    domain: str
    added_at: str


class DomainRemoved(TypedDict):
    """The data of domain.removed."""

    domain: str
    removed_at: str


class Test(TypedDict, total=False):
    """The data of a test event: beside test, anything may be missing."""

    test: bool
    domain: str
    score: int
    grade: str
    message: str


@dataclass(frozen=True)
class Event:
    """An event. Its data is not checked; the types beside this one say what to expect."""

    id: str
    """The same however often the event is sent: what duplicates are found by."""
    type: str
    created_at: datetime
    """When the sender accepted the event, in UTC. Order is not promised: compare this."""
    data: Any
    data_text: str
    """The data as it was sent, to the character."""

    @property
    def test(self) -> bool:
        """Somebody pressed Test at the sender. Look at it before ``type``."""
        return isinstance(self.data, dict) and self.data.get("test") is True


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _integer(digits: str) -> Union[int, float]:
    # Python refuses to make an int of many thousand digits; a float becomes infinite.
    return int(digits) if len(digits) <= 4000 else float(digits)


# The decoder takes NaN and Infinity if nobody keeps it from that.
_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_int=_integer)
_SPACE = re.compile(r"[ \t\r\n]*")


def _members(text: str) -> Optional[dict[str, tuple[Any, str]]]:
    """Gives the members of a JSON object, each with how it is written.

    Of a repeated name the last counts. Whatever is not a JSON object, or nested deeper
    than Python can read, gives None.
    """
    try:
        return _read_members(text)
    except (ValueError, IndexError, RecursionError):
        return None


def _read_members(text: str) -> dict[str, tuple[Any, str]]:
    found: dict[str, tuple[Any, str]] = {}
    at = _expect(text, _skip(text, 0), "{")
    if text[at] == "}":
        return _end(text, at, found)
    while True:
        if text[at] != '"':
            raise ValueError("a name is missing")
        name, at = _DECODER.raw_decode(text, at)
        begin = _expect(text, _skip(text, at), ":")
        value, end = _DECODER.raw_decode(text, begin)
        found[name] = (value, text[begin:end])
        at = _skip(text, end)
        if text[at] == "}":
            return _end(text, at, found)
        at = _expect(text, at, ",")


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    assert match is not None  # it matches nothing, too
    return match.end()


def _expect(text: str, at: int, char: str) -> int:
    if text[at] != char:
        raise ValueError(f"{char} is missing")
    return _skip(text, at + 1)


def _end(text: str, at: int, found: dict[str, tuple[Any, str]]) -> dict[str, tuple[Any, str]]:
    if _skip(text, at + 1) != len(text):
        raise ValueError("there is something behind it")
    return found


def _text(found: dict[str, tuple[Any, str]], name: str) -> str:
    """Reads a text that is not empty; everything else gives ''."""
    value = found.get(name, (None, ""))[0]
    # Half of a surrogate pair is no letter, and becomes the replacement character.
    return re.sub("[\ud800-\udfff]", "\ufffd", value) if isinstance(value, str) else ""


def body_id(body: bytes) -> str:
    """The id in a body, or '' when it is not an object or has none."""
    found = _members(body.decode("utf-8", "replace"))
    return "" if found is None else _text(found, "id")


_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"(?:Z|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))"
)


def _time(text: str) -> Optional[datetime]:
    """Reads a time as RFC 3339 has it; fromisoformat takes another choice in each version."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    decimals, sign, hours, minutes = match.group(7, 8, 9, 10)
    try:
        at = datetime(*map(int, match.group(1, 2, 3, 4, 5, 6)), tzinfo=timezone.utc)  # type: ignore[arg-type,misc]
        at = at.replace(microsecond=int((decimals or "").ljust(6, "0")[:6]))
        if sign is not None:
            offset = timedelta(hours=int(hours), minutes=int(minutes))
            at += offset if sign == "-" else -offset
    except (ValueError, OverflowError):
        return None
    return at


def parse(body: Union[bytes, bytearray, memoryview, str]) -> Event:
    """Reads a body; verify it first. Raises ``WebhookError`` with the code ``bad_event``."""
    try:
        text = body_bytes(body).decode("utf-8")
    except UnicodeDecodeError:
        raise WebhookError("bad_event", "the body is not valid UTF-8") from None
    found = _members(text)
    if found is None:
        raise WebhookError("bad_event", "the body is not a JSON object")
    event_id, event_type = _text(found, "id"), _text(found, "type")
    if event_id == "":
        raise WebhookError("bad_event", "id is missing or not a text")
    if event_type == "":
        raise WebhookError("bad_event", "type is missing or not a text")
    created_at = _time(_text(found, "created_at"))
    if created_at is None:
        raise WebhookError("bad_event", "created_at is missing or not an RFC 3339 time")
    if "data" not in found:
        raise WebhookError("bad_event", "data is missing")
    data, data_text = found["data"]
    return Event(event_id, event_type, created_at, data, data_text)
