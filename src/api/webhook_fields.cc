#include "api/webhook_fields.h"

#include "api/json_body.h"
#include "base/json_writer.h"
#include "http/syntax.h"
#include "http/url.h"
#include "subscription/patterns.h"

#include <algorithm>
#include <array>

namespace ringpost::api {
namespace {

/// Who sends them tells of deliveries and their circles.
bool is_ours(std::string_view name) {
  constexpr std::string_view prefix = "ringpost-";
  return name.size() >= prefix.size() &&
         http::equal_ignoring_case(name.substr(0, prefix.size()), prefix);
}

bool frames_the_message(std::string_view name) {
  constexpr std::array<std::string_view, 11> names = {"host",
                                                      "content-length",
                                                      "transfer-encoding",
                                                      "connection",
                                                      "keep-alive",
                                                      "te",
                                                      "trailer",
                                                      "upgrade",
                                                      "expect",
                                                      "proxy-connection",
                                                      "content-encoding"};
  return std::ranges::any_of(
      names, [&](auto reserved) { return http::equal_ignoring_case(name, reserved); });
}

std::string bytes(size_t count) {
  return std::to_string(count) + " bytes";
}

}  // namespace

Headers::iterator find_header(Headers& headers, std::string_view name) {
  return std::ranges::find_if(
      headers, [&](const auto& header) { return http::equal_ignoring_case(header.first, name); });
}

std::optional<Problem> check_header_name(std::string_view member, std::string_view name,
                                         size_t bytes_max) {
  if (name.empty()) return invalid(member, "has no name");
  if (name.size() > bytes_max) {
    return invalid(member, "has a name longer than " + bytes(bytes_max));
  }
  if (!http::is_token(name)) return invalid(member, "has a name that is not an HTTP token");
  if (frames_the_message(name) || is_ours(name)) {
    return invalid(member, "is reserved and cannot be set");
  }
  return std::nullopt;
}

std::optional<Problem> check_header(std::string_view member, std::string_view name,
                                    std::string_view value) {
  if (auto problem = check_header_name(member, name, webhook_header_name_bytes_max)) return problem;
  if (value.empty()) return invalid(member, "has no value");
  if (value.size() > webhook_header_value_bytes_max) {
    return invalid(member, "has a value longer than " + bytes(webhook_header_value_bytes_max));
  }
  const auto allowed = [](char byte) { return byte == '\t' || (byte >= 0x20 && byte < 0x7F); };
  if (!std::ranges::all_of(value, allowed)) {
    return invalid(member, "has a value with bytes other than visible ASCII, spaces and tabs");
  }
  const auto blank = [](char byte) { return byte == ' ' || byte == '\t'; };
  if (blank(value.front()) || blank(value.back())) {
    return invalid(member, "has a value that begins or ends with a space");
  }
  return std::nullopt;
}

std::optional<Problem> check_names_differ(std::string_view member, simdjson::dom::object headers) {
  std::vector<std::string> names = member_names(headers);
  for (std::string& name : names) std::ranges::transform(name, name.begin(), http::to_lower);
  std::ranges::sort(names);
  const auto found = std::ranges::adjacent_find(names);
  if (found == names.end()) return std::nullopt;
  return invalid(std::string{member} + "." + found->substr(0, webhook_header_name_bytes_max),
                 "is given twice (header names are case-insensitive)");
}

std::optional<Problem> check_headers(std::string_view member, const Headers& headers) {
  if (headers.size() > webhook_headers_max) {
    return invalid(member, "has more than " + std::to_string(webhook_headers_max) + " headers");
  }
  size_t total = 0;
  for (const auto& [name, value] : headers) total += name.size() + value.size() + 4;
  if (total > webhook_headers_bytes_max) {
    return invalid(member, "takes more than " + bytes(webhook_headers_bytes_max));
  }
  return std::nullopt;
}

std::variant<subscription::Destination, Problem> read_destination(std::string_view member,
                                                                  std::string_view text) {
  const auto parsed = http::parse_url(text);
  if (const auto* wrong = std::get_if<http::UrlProblem>(&parsed)) {
    return invalid(member, wrong->reason);
  }
  const http::Url& url = std::get<http::Url>(parsed);
  const bool printable = subscription::object_to_name(text, webhook_url_bytes_max).empty();
  return subscription::Destination{.url = printable ? std::string{text} : url.text(),
                                   .tls = url.tls,
                                   .host = url.host,
                                   .port = url.port,
                                   .target = url.target};
}

bool same_destination(const subscription::Destination& left,
                      const subscription::Destination& right) {
  return left.tls == right.tls && left.host == right.host && left.port == right.port &&
         left.target == right.target;
}

namespace {

void write_texts(JsonWriter& json, std::string_view name, const std::vector<std::string>& texts) {
  json.key(name).begin_array();
  for (const std::string& text : texts) json.value(text);
  json.end_array();
}

}  // namespace

void write_subscription(JsonWriter& json, const subscription::Webhook& webhook) {
  write_texts(json, "sources", webhook.sources);
  write_texts(json, "events", webhook.events);
  json.key("filter").begin_object().member("branches", webhook.filter.branches);
  write_texts(json, "teams", webhook.filter.teams);
  write_texts(json, "clusters", webhook.filter.clusters);
  json.key("data").raw(webhook.filter.data.empty() ? "null" : webhook.filter.data);
  json.end_object();
}

void write_extension(JsonWriter& json, const subscription::Webhook& webhook) {
  json.key(extension_member).begin_object();
  write_subscription(json, webhook);
  json.end_object();
}

std::string plain_url(const subscription::Destination& destination) {
  using Kind = http::Url::HostKind;
  const bool ipv6 = destination.host.find(':') != std::string::npos;
  return http::Url{.tls = destination.tls,
                   .host_kind = ipv6 ? Kind::ipv6 : Kind::name,
                   .host = destination.host,
                   .port = destination.port,
                   .target = destination.target}
      .text();
}

}  // namespace ringpost::api
