"""The one error, and how a body is taken."""

from __future__ import annotations

from typing import Optional, Union

# What each code says when nothing more can be said.
_MESSAGES = {
    "bad_argument": "the library was called wrongly",
    "bad_secret": "a secret must be whsec_ followed by the padded base64 of 24 to 64 bytes",
    "no_secret": "there is no secret to verify with",
    "no_signature": "the request is not signed",
    "bad_header": "a signature header is missing, repeated or malformed",
    "mismatch": "the signature does not match: the secret is another one or the body was changed",
    "too_old": "the request was signed too long ago: it was held up or sent again, or this clock is fast",
    "too_new": "the request was signed in the future: one of the clocks is wrong",
    "bad_event": "the body is not an event",
}


class WebhookError(Exception):
    """Why something is refused; the message never quotes a secret, a signature or the body.

    ``code`` is one of

    - ``no_signature``, ``bad_header``, ``mismatch``, ``too_old``, ``too_new``: the request
      is not genuine, or not of now;
    - ``bad_event``: the body is no event;
    - ``no_secret``, ``bad_secret``, ``bad_argument``: the receiver is set up wrongly, or
      calls this library wrongly.

    ``status`` is what to answer with: 401, 400 and 500 for these in turn.
    """

    def __init__(self, code: str, message: Optional[str] = None) -> None:
        super().__init__(message or _MESSAGES[code])
        self.code = code
        self.status = {"bad_event": 400, "no_secret": 500, "bad_secret": 500, "bad_argument": 500}.get(code, 401)

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.code, str(self))


def body_bytes(body: Union[bytes, bytearray, memoryview, str]) -> bytes:
    """Gives the bytes of a body, and says what to do when it was parsed already."""
    if isinstance(body, str):
        # A lone surrogate stays what it is; no signature fits it.
        return body.encode("utf-8", "surrogatepass")
    if isinstance(body, (bytes, bytearray, memoryview)):
        try:
            return bytes(body)
        except ValueError:  # a view that was released
            pass
    raise WebhookError(
        "bad_argument",
        "body must be the raw body, bytes or str: JSON that was parsed and is written again is other bytes, "
        "which nobody signed. Flask: request.get_data(). Django: request.body. FastAPI: await request.body()",
    )
