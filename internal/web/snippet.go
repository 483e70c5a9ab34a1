package web

import (
	"bytes"
	"encoding/json"
)

// snippet is how a receiver checks a signature, in one language.
type snippet struct{ Language, Code string }

// snippets check the header X-ComplianceLayer-Signature. Each is whole: it takes the raw bytes and compares in constant time.
func snippets() []snippet {
	return []snippet{
		{"JavaScript", `const crypto = require("node:crypto");

// body: the raw bytes, as a Buffer, before any JSON parser
function genuine(body, header) {
  const want = crypto.createHmac("sha256", process.env.COMPLIANCELAYER_SECRET).update(body).digest();
  const got = Buffer.from(header ?? "", "hex");
  return got.length === want.length && crypto.timingSafeEqual(got, want);
}

// genuine(rawBody, request.headers["x-compliancelayer-signature"])`},
		{"Python", `import hashlib, hmac, os

# body: the raw bytes, before any JSON parser
def genuine(body: bytes, header: str) -> bool:
    key = os.environ["COMPLIANCELAYER_SECRET"].encode()
    want = hmac.new(key, body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(want.encode(), header.encode())

# genuine(request.get_data(), request.headers.get("X-ComplianceLayer-Signature", ""))`},
		{"Go", `import "github.com/compliancelayer/compliancelayer/webhook"

// body: the raw bytes, before any JSON parser
secret, err := webhook.ParseSecret(os.Getenv("COMPLIANCELAYER_SECRET"))
if err != nil {
	log.Fatal(err)
}
_, err = webhook.Verify(r.Header, body, time.Now(), 5*time.Minute, secret)
if err != nil {
	http.Error(w, "wrong signature", http.StatusUnauthorized)
	return
}`},
		{"PHP", `<?php
// the raw bytes, before any JSON parser
$body = file_get_contents("php://input");
$want = hash_hmac("sha256", $body, getenv("COMPLIANCELAYER_SECRET"));
$got  = $_SERVER["HTTP_X_COMPLIANCELAYER_SIGNATURE"] ?? "";
if (!hash_equals($want, $got)) {
    http_response_code(401);
    exit;
}`},
		{"Ruby", `require "openssl"

# body: the raw bytes, before any JSON parser
def genuine?(body, header)
  want = OpenSSL::HMAC.hexdigest("SHA256", ENV.fetch("COMPLIANCELAYER_SECRET"), body)
  OpenSSL.secure_compare(want, header.to_s)
end

# genuine?(request.body.read, request.get_header("HTTP_X_COMPLIANCELAYER_SIGNATURE"))`},
	}
}

// publishing writes how a program publishes an event of a type.
func publishing(name string, sample []byte) string {
	var line bytes.Buffer
	if json.Compact(&line, sample) != nil || line.Len() == 0 {
		line.Reset()
		line.WriteString("{}")
	}
	return `curl -X POST https://YOUR-SERVER/v1/events \
  -H "Authorization: Bearer $COMPLIANCELAYER_API_KEY" \
  -H "Content-Type: application/json" \
  -d ` + quoted(`{"type":"`+name+`","data":`+line.String()+`}`)
}

// receiving writes how a receiver takes an event of a type up, after it has checked the signature.
func receiving(name string) string {
	return `// after the signature was checked, and not twice for one event.id
switch (event.type) {
  case "` + name + `":
    queue.add(event.id, event.data); // answer 200 now, work on it later
    break;
}`
}
