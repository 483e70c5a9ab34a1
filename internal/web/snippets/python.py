import base64, hashlib, hmac, os, time

def key_of(secret: str) -> bytes:
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    if not secret.startswith("whsec_") or len(key) < 24:
        raise ValueError("COMPLIANCELAYER_SECRET: not a signing secret")
    return key

# COMPLIANCELAYER_SECRET=whsec_... or, while a secret is replaced, both: whsec_old...,whsec_new...
keys = [key_of(secret) for secret in os.environ["COMPLIANCELAYER_SECRET"].split(",")]

# body: the raw bytes, before any JSON parser
def genuine(headers, body: bytes) -> bool:
    id, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not (at.isascii() and at.isdigit()) or len(at) > 11 or abs(time.time() - int(at)) > 300:  # 5 minutes
        return False
    sent = headers.get("webhook-signature", "").encode().split(b" ")
    for key in keys:
        mac = hmac.new(key, f"{id}.{at}.".encode() + body, hashlib.sha256).digest()
        want = b"v1," + base64.b64encode(mac)
        if any(hmac.compare_digest(want, one) for one in sent):
            return True
    return False

# if not genuine(request.headers, request.get_data()): answer 401
