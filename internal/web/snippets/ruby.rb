require "openssl"

# COMPLIANCELAYER_SECRET=whsec_... or, while a secret is replaced, both: whsec_old...,whsec_new...
KEYS = ENV.fetch("COMPLIANCELAYER_SECRET").split(",").map do |secret|
  key = secret.delete_prefix("whsec_").unpack1("m0")
  raise "COMPLIANCELAYER_SECRET: not a signing secret" unless secret.start_with?("whsec_") && key.bytesize >= 24
  key
end
raise "COMPLIANCELAYER_SECRET: not set" if KEYS.empty?

# env: as Rack gives it; body: the raw bytes, before any JSON parser
def genuine?(env, body)
  id, at = env["HTTP_WEBHOOK_ID"].to_s, env["HTTP_WEBHOOK_TIMESTAMP"].to_s
  return false unless at.match?(/\A\d{1,11}\z/) && (Time.now.to_i - at.to_i).abs <= 300 # 5 minutes
  sent = env["HTTP_WEBHOOK_SIGNATURE"].to_s.split(" ")
  KEYS.any? do |key|
    mac = OpenSSL::HMAC.digest("SHA256", key, "#{id}.#{at}.".b + body.b)
    want = "v1," + [mac].pack("m0")
    sent.any? { |one| OpenSSL.secure_compare(want, one) }
  end
end

# answer 401 unless genuine?(request.env, request.body.read)
