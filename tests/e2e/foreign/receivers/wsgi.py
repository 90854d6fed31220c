"""For gunicorn."""

import ledger


def app(environ, start_response):
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    ledger.note(environ["HTTP_WEBHOOK_ID"], environ["HTTP_WEBHOOK_TIMESTAMP"],
                environ["HTTP_WEBHOOK_SIGNATURE"], body)
    start_response("204 No Content", [])
    return []
