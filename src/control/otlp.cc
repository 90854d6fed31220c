#include "control/otlp.h"

#include "base/json_writer.h"
#include "crypto/hex.h"
#include "ringpost/version.h"

#include <type_traits>

namespace ringpost::control {
namespace {

// The `flags` of spans and links: the eight of W3C, and whether the context came from elsewhere.
constexpr uint32_t knows_remote_flag = 0x100;
constexpr uint32_t is_remote_flag = 0x200;

constexpr int error_status = 2;

uint32_t flags_of(const http::TraceContext& context, bool remote) {
  return (context.sampled ? 1u : 0u) | (context.random ? 2u : 0u) | knows_remote_flag |
         (remote ? is_remote_flag : 0u);
}

/// Numbers of 64 bits are strings in the JSON of Protocol Buffers.
void write_time(JsonWriter& json, std::string_view key, WallTime time) {
  json.member(key, std::to_string(to_unix_ns(time)));
}

void write_value(JsonWriter& json, const OtlpAttribute& attribute) {
  std::visit(
      [&](const auto& value) {
        using Value = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<Value, std::string>) json.member("stringValue", value);
        if constexpr (std::is_same_v<Value, int64_t>) {
          json.member("intValue", std::to_string(value));
        }
        if constexpr (std::is_same_v<Value, double>) json.member("doubleValue", value);
        if constexpr (std::is_same_v<Value, bool>) json.member("boolValue", value);
      },
      attribute.value);
}

void write_attributes(JsonWriter& json, std::span<const OtlpAttribute> attributes) {
  json.key("attributes").begin_array();
  for (const OtlpAttribute& attribute : attributes) {
    json.begin_object().member("key", attribute.key).key("value").begin_object();
    write_value(json, attribute);
    json.end_object().end_object();
  }
  json.end_array();
}

void write_ids(JsonWriter& json, const http::TraceContext& context) {
  json.member("traceId", crypto::hex_encode(context.trace));
  json.member("spanId", crypto::hex_encode(context.span));
}

void write_links(JsonWriter& json, const std::vector<http::TraceContext>& links) {
  if (links.empty()) return;
  json.key("links").begin_array();
  for (const http::TraceContext& link : links) {
    json.begin_object();
    write_ids(json, link);
    json.member("flags", flags_of(link, false)).end_object();
  }
  json.end_array();
}

}  // namespace

std::string to_otlp(const OtlpSpan& span) {
  std::string text;
  JsonWriter json{text};
  json.begin_object();
  write_ids(json, span.context);
  if (!span.trace_state.empty()) json.member("traceState", span.trace_state);
  if (span.parent != http::SpanId{}) json.member("parentSpanId", crypto::hex_encode(span.parent));
  json.member("flags", flags_of(span.context, span.parent_is_remote));
  json.member("name", span.name).member("kind", static_cast<int>(span.kind));
  write_time(json, "startTimeUnixNano", span.begin);
  write_time(json, "endTimeUnixNano", span.end);
  write_attributes(json, span.attributes);
  write_links(json, span.links);
  if (!span.failure.empty()) {
    json.key("status").begin_object();
    json.member("message", span.failure).member("code", error_status).end_object();
  }
  json.end_object();
  return text;
}

std::string otlp_request(std::span<const OtlpAttribute> resource,
                         std::span<const std::string> spans) {
  std::string body;
  JsonWriter json{body};
  json.begin_object().key("resourceSpans").begin_array().begin_object();
  json.key("resource").begin_object();
  write_attributes(json, resource);
  json.end_object().key("scopeSpans").begin_array().begin_object();
  json.key("scope").begin_object().member("name", "ringpost").member("version", version);
  json.end_object().key("spans").begin_array();
  for (const std::string& span : spans) json.raw(span);
  json.end_array().end_object().end_array().end_object().end_array().end_object();
  return body;
}

}  // namespace ringpost::control
