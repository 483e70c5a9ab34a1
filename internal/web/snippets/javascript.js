const crypto = require("node:crypto");

// COMPLIANCELAYER_SECRET=whsec_... or, while a secret is replaced, both: whsec_old...,whsec_new...
const keys = (process.env.COMPLIANCELAYER_SECRET ?? "").split(",").map((secret) => {
  if (!/^whsec_[A-Za-z0-9+/]{32,}=*$/.test(secret)) throw new Error("COMPLIANCELAYER_SECRET: not a signing secret");
  return Buffer.from(secret.slice("whsec_".length), "base64");
});

// headers: by their names in lower case; body: the raw bytes as a Buffer, before any JSON parser
function genuine(headers, body) {
  const id = headers["webhook-id"], at = headers["webhook-timestamp"] ?? "";
  if (!/^\d{1,11}$/.test(at) || Math.abs(Date.now() / 1000 - at) > 300) return false; // 5 minutes
  const sent = (headers["webhook-signature"] ?? "").split(" ").map((one) => Buffer.from(one));
  return keys.some((key) => {
    const mac = crypto.createHmac("sha256", key).update(`${id}.${at}.`).update(body).digest("base64");
    const want = Buffer.from("v1," + mac);
    return sent.some((one) => one.length === want.length && crypto.timingSafeEqual(one, want));
  });
}

// if (!genuine(request.headers, rawBody)) answer 401
