"""Producer, receiver and collector of tracing_test.py, in a venv with OpenTelemetry's own SDK and protocol.

Listens for the relay, and answers each line of standard input with one of standard output, in JSON.
"""

import base64
import http.server
import json
import sys
import threading
import urllib.request

from google.protobuf import json_format
from opentelemetry import propagate, trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

IDS = ("traceId", "spanId", "parentSpanId")

exported = InMemorySpanExporter()  # Spans of producer and receiver.
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exported))
tracer = provider.get_tracer("peer")
collected = []  # Requests of the relay, decoded.
failures = []


def with_base64_ids(value):
    """OTLP's JSON has ids in hexadecimal, where that of Protocol Buffers has base64: the one difference for a request."""
    if isinstance(value, list):
        return [with_base64_ids(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {key: base64.b64encode(bytes.fromhex(one)).decode() if key in IDS else with_base64_ids(one)
            for key, one in value.items()}


def decode(body):
    """Strict: an unknown member, or one of another type, is an error."""
    request = ExportTraceServiceRequest()
    json_format.ParseDict(with_base64_ids(json.loads(body)), request)
    return ExportTraceServiceRequest.FromString(request.SerializeToString())


class Handler(http.server.BaseHTTPRequestHandler):
    """/v1/traces is the collector, everything else the receiver."""
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/v1/traces":
            try:
                collected.append((dict(self.headers), decode(body)))
            except Exception as error:  # Told to the test.
                failures.append(f"{error!r}: {body[:2000]!r}")
            self.answer(200, b"{}")
            return
        context = propagate.extract({name.lower(): value for name, value in self.headers.items()})
        with tracer.start_as_current_span("receive", context=context, kind=trace.SpanKind.SERVER):
            self.answer(503 if self.path == "/later" and self.headers["ringpost-attempt"] == "1" else 200, b"")

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def send(url, token, identity):
    """An event of a producer that is traced: the header is what its SDK writes."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with tracer.start_as_current_span("build", kind=trace.SpanKind.CLIENT):
        propagate.inject(headers)
        body = json.dumps({"id": identity, "type": "build.finished", "source": "pipeline/demo", "data": {"n": 1}}).encode()
        with urllib.request.urlopen(urllib.request.Request(url + "/v1/events", body, headers), timeout=30) as answer:
            return answer.status


def attribute(value):
    return getattr(value, value.WhichOneof("value"))


def report():
    """All spans that anybody told of."""
    spans = [{"trace": f"{one.context.trace_id:032x}", "span": f"{one.context.span_id:016x}",
              "parent": f"{one.parent.span_id:016x}" if one.parent else "", "name": one.name, "of": "sdk"}
             for one in exported.get_finished_spans()]
    resources = []
    for headers, request in collected:
        for resource in request.resource_spans:
            resources.append({one.key: attribute(one.value) for one in resource.resource.attributes} | {"key": headers.get("x-api-key")})
            for scope in resource.scope_spans:
                spans += [{"trace": one.trace_id.hex(), "span": one.span_id.hex(), "parent": one.parent_span_id.hex(),
                           "name": one.name, "of": scope.scope.name, "kind": one.kind, "flags": one.flags,
                           "ns": one.end_time_unix_nano - one.start_time_unix_nano, "status": one.status.code,
                           "attributes": {each.key: attribute(each.value) for each in one.attributes},
                           "links": [[each.trace_id.hex(), each.span_id.hex()] for each in one.links]}
                          for one in scope.spans]
    return {"spans": spans, "resources": resources, "failures": failures}


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"port": server.server_port}), flush=True)
    for line in sys.stdin:
        words = line.split()
        answer = report() if words[0] == "report" else {"status": send(*words[1:])}
        print(json.dumps(answer), flush=True)


main()
