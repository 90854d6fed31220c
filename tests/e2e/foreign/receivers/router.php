<?php
// For PHP's built-in server.
$line = json_encode(["id" => $_SERVER["HTTP_WEBHOOK_ID"], "timestamp" => $_SERVER["HTTP_WEBHOOK_TIMESTAMP"],
                     "signature" => $_SERVER["HTTP_WEBHOOK_SIGNATURE"],
                     "body" => base64_encode(file_get_contents("php://input"))]);
file_put_contents(getenv("LEDGER"), $line . "\n", FILE_APPEND);
http_response_code(200);
echo "ok";
