"""Verifies ComplianceLayer's webhooks and reads their events.

Call :func:`unwrap` with the headers and the raw body of a request. It raises
:class:`WebhookError` and nothing else (but MemoryError where there is no memory left)::

    event = unwrap(headers, body, [os.environ["COMPLIANCELAYER_SECRET"]])
    if event.type == "scan.completed" and not event.test:
        print(event.data["domain"], event.data["score"])
"""

from ._error import WebhookError
from ._event import (
    AlertTriggered,
    DomainAdded,
    DomainRemoved,
    Event,
    ScanCompleted,
    ScoreChanged,
    Test,
    parse,
)
from ._verify import DEFAULT_TOLERANCE, Verified, check_secrets, unwrap, verify

__all__ = [
    "DEFAULT_TOLERANCE",
    "AlertTriggered",
    "DomainAdded",
    "DomainRemoved",
    "Event",
    "ScanCompleted",
    "ScoreChanged",
    "Test",
    "Verified",
    "WebhookError",
    "check_secrets",
    "parse",
    "unwrap",
    "verify",
]
