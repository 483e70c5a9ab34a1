<?php
// COMPLIANCELAYER_SECRET=whsec_... or, while a secret is replaced, both: whsec_old...,whsec_new...
function keys(): array {
    return array_map(function ($secret) {
        $key = base64_decode(substr($secret, strlen("whsec_")), true);
        if (!str_starts_with($secret, "whsec_") || $key === false || strlen($key) < 24) {
            throw new Exception("COMPLIANCELAYER_SECRET: not a signing secret");
        }
        return $key;
    }, explode(",", getenv("COMPLIANCELAYER_SECRET") ?: ""));
}

// $server: as $_SERVER; $body: the raw bytes, before any JSON parser
function genuine(array $server, string $body, array $keys): bool {
    $id = $server["HTTP_WEBHOOK_ID"] ?? "";
    $at = $server["HTTP_WEBHOOK_TIMESTAMP"] ?? "";
    if (!preg_match('/^\d{1,11}$/D', $at) || abs(time() - (int) $at) > 300) { // 5 minutes
        return false;
    }
    foreach ($keys as $key) {
        $want = "v1," . base64_encode(hash_hmac("sha256", "$id.$at.$body", $key, true));
        foreach (explode(" ", $server["HTTP_WEBHOOK_SIGNATURE"] ?? "") as $sent) {
            if (hash_equals($want, $sent)) return true;
        }
    }
    return false;
}

// if (!genuine($_SERVER, file_get_contents("php://input"), keys())) answer 401
