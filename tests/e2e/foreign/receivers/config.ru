# For Puma.
require "base64"
require "json"

run lambda { |env|
  body = env["rack.input"].read
  line = JSON.generate({id: env["HTTP_WEBHOOK_ID"], timestamp: env["HTTP_WEBHOOK_TIMESTAMP"],
                        signature: env["HTTP_WEBHOOK_SIGNATURE"], body: Base64.strict_encode64(body)})
  File.open(ENV["LEDGER"], "ab") { |file| file.syswrite(line + "\n") }
  [200, {"content-type" => "text/plain"}, ["ok"]]
}
