#include "sim/http.h"

#include <algorithm>
#include <charconv>

namespace ringpost::sim {

namespace {

constexpr std::string_view line_end = "\r\n";

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// The part of a start line between its `index`th space and the next.
std::string_view word(std::string_view line, int index) {
  for (; index > 0; --index) {
    const size_t space = line.find(' ');
    if (space == std::string_view::npos) return {};
    line.remove_prefix(space + 1);
  }
  return line.substr(0, line.find(' '));
}

std::optional<size_t> parse_number(std::string_view text, int base) {
  size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return {};
  return number;
}

}  // namespace

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view HttpMessage::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (equals_ignoring_case(key, name)) return value;
  }
  return {};
}

bool HttpMessage::has_header(std::string_view name) const {
  return std::ranges::any_of(
      headers, [name](const auto& header) { return equals_ignoring_case(header.first, name); });
}

std::string_view HttpMessage::method() const {
  return word(start_line, 0);
}

std::string_view HttpMessage::target() const {
  return word(start_line, 1);
}

int HttpMessage::status() const {
  const auto number = parse_number(word(start_line, 1), 10);
  return number && *number <= 999 ? static_cast<int>(*number) : 0;
}

std::optional<HttpMessage> HttpReader::fail() {
  broken_ = true;
  buffer_.clear();
  return {};
}

bool HttpReader::parse_head(std::string_view head, HttpMessage& message) {
  const size_t first_end = head.find(line_end);
  message.start_line = head.substr(0, first_end);
  const bool versioned = kind_ == Kind::request ? word(message.start_line, 2) == "HTTP/1.1"
                                                : message.start_line.starts_with("HTTP/1.");
  if (!versioned) return false;
  while (head.find(line_end) != std::string_view::npos) {
    head.remove_prefix(head.find(line_end) + line_end.size());
    const std::string_view line = head.substr(0, head.find(line_end));
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0 || line[colon - 1] == ' ') return false;
    message.headers.emplace_back(line.substr(0, colon), trimmed(line.substr(colon + 1)));
  }
  return true;
}

std::optional<HttpMessage> HttpReader::next() {
  while (!broken_) {
    const size_t head_end = buffer_.find("\r\n\r\n");
    if (head_end == std::string::npos) return {};
    HttpMessage message;
    if (!parse_head(std::string_view{buffer_}.substr(0, head_end), message)) return fail();
    const auto end = read_body(message, head_end + 4);
    if (!end) return {};
    buffer_.erase(0, *end);
    if (kind_ == Kind::response && message.status() / 100 == 1) continue;
    return message;
  }
  return {};
}

std::optional<size_t> HttpReader::read_body(HttpMessage& message, size_t begin) {
  if (message.has_header("Transfer-Encoding")) {
    const bool one_reading = !message.has_header("Content-Length") &&
                             equals_ignoring_case(message.header("Transfer-Encoding"), "chunked");
    if (!one_reading) return fail(), std::nullopt;
    return read_chunks(message, begin);
  }
  if (message.has_header("Content-Length")) {
    const auto length = parse_number(message.header("Content-Length"), 10);
    if (!length) return fail(), std::nullopt;
    if (buffer_.size() - begin < *length) return {};
    message.body = buffer_.substr(begin, *length);
    return begin + *length;
  }
  const int status = message.status();
  const bool bodiless =
      kind_ == Kind::request || status / 100 == 1 || status == 204 || status == 304;
  if (bodiless) return begin;
  if (!stream_ended_) return {};
  message.body = buffer_.substr(begin);
  return buffer_.size();
}

std::optional<size_t> HttpReader::read_chunks(HttpMessage& message, size_t begin) {
  message.body.clear();
  for (size_t at = begin;;) {
    const size_t size_end = buffer_.find(line_end, at);
    if (size_end == std::string::npos) return {};
    const std::string_view line = std::string_view{buffer_}.substr(at, size_end - at);
    const auto size = parse_number(line.substr(0, line.find(';')), 16);
    if (!size) return fail(), std::nullopt;
    at = size_end + line_end.size();
    if (*size == 0) break;
    if (buffer_.size() - at < *size + line_end.size()) return {};
    message.body += buffer_.substr(at, *size);
    at += *size;
    if (buffer_.compare(at, line_end.size(), line_end) != 0) return fail(), std::nullopt;
    at += line_end.size();
    begin = at;
  }
  // The trailer section, up to an empty line; after a last chunk that is the zero line itself.
  const size_t zero_line = buffer_.find(line_end, begin);
  const size_t end = buffer_.find("\r\n\r\n", zero_line);
  if (end == std::string::npos) return {};
  return end + 4;
}

std::string http_bytes(std::string_view start_line, const HttpHeaders& headers,
                       std::string_view body) {
  std::string bytes{start_line};
  bytes += line_end;
  for (const auto& [name, value] : headers) bytes += name + ": " + value + "\r\n";
  bytes += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  bytes += body;
  return bytes;
}

}  // namespace ringpost::sim
