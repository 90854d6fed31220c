#include "api/logged_head.h"

#include "base/json_writer.h"
#include "net/tls.h"

#include <algorithm>
#include <utility>

namespace ringpost::api {

std::string_view LoggedHead::header(std::string_view name) const {
  for (const http::FieldLine& line : headers) {
    if (http::equal_ignoring_case(line.name, name)) return line.value;
  }
  return {};
}

std::string_view LoggedHead::method() const {
  return first_line.substr(0, first_line.find(' '));
}

std::string LoggedHead::url(bool tls) const {
  const size_t space = std::min(first_line.find(' '), first_line.size());
  const std::string_view rest = first_line.substr(std::min(space + 1, first_line.size()));
  std::string url = tls ? "https://" : "http://";
  url.append(header("host")).append(rest.substr(0, rest.find(' ')));
  return url;
}

LoggedHead parse_logged_head(std::string_view head) {
  LoggedHead parsed;
  bool at_first = true;
  while (!head.empty()) {
    const size_t end = std::min(head.find('\n'), head.size());
    std::string_view line = head.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    head.remove_prefix(std::min(end + 1, head.size()));
    if (std::exchange(at_first, false)) {
      parsed.first_line = line;
    } else if (const auto field = http::parse_field_line(line)) {
      parsed.headers.push_back(*field);
    }
  }
  return parsed;
}

void write_headers(JsonWriter& json, const LoggedHead& head) {
  const auto& lines = head.headers;
  json.begin_object();
  for (auto line = lines.begin(); line != lines.end(); ++line) {
    const auto same_name = [&](const http::FieldLine& other) {
      return http::equal_ignoring_case(other.name, line->name);
    };
    if (std::any_of(lines.begin(), line, same_name)) continue;
    std::string value{line->value};
    for (auto other = line + 1; other != lines.end(); ++other) {
      if (same_name(*other)) value.append(", ").append(other->value);
    }
    json.member(line->name, value);
  }
  json.end_object();
}

void write_response(JsonWriter& json, const journal::OutcomeView& outcome) {
  json.key("response");
  if (outcome.http_status == 0) {
    json.null();
    return;
  }
  json.begin_object().member("status", outcome.http_status).key("headers");
  write_headers(json, parse_logged_head(outcome.response_head));
  json.member("body", as_text(outcome.response_body))
      .member("truncated", outcome.response_truncated);
  if (outcome.response_note != BadAnswer{}) json.member("note", describe(outcome.response_note));
  json.end_object();
}

std::string no_answer_reason(const journal::OutcomeView& outcome) {
  if (!outcome.failed || outcome.http_status != 0) return {};
  return net::describe_tls(outcome.error);
}

}  // namespace ringpost::api
