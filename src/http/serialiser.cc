#include "http/serialiser.h"

#include "base/assert.h"
#include "http/date.h"
#include "http/syntax.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace ringpost::http {
namespace {

void append_number(std::string& out, uint64_t number) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, static_cast<size_t>(end - digits));
}

bool named(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::any_of(
      names, [&](std::string_view known) { return equal_ignoring_case(known, name); });
}

}  // namespace

void append_header(std::string& out, std::string_view name, std::string_view value) {
  RINGPOST_ASSERT(valid_header_name(name));
  RINGPOST_ASSERT(valid_header_value(value));
  out.append(name).append(": ").append(value).append("\r\n");
}

namespace {

/// Status line and headers up to those that tell where the body ends.
void begin_head(std::string& out, const Response& response, WallTime now, bool has_content) {
  RINGPOST_ASSERT(response.status >= 200 && response.status <= 599);
  out.append("HTTP/1.1 ");
  append_number(out, response.status);
  out.append(" ").append(reason_phrase(response.status));
  out.append("\r\nDate: ").append(http_date(now)).append("\r\n");
  if (has_content) append_header(out, "Content-Type", response.content_type);
}

/// The other headers, and the empty line.
void end_head(std::string& out, const Response& response, bool keep_alive, ResponseForm form) {
  out.append("X-Content-Type-Options: nosniff\r\n");
  if (!keep_alive) out.append("Connection: close\r\n");
  if (keep_alive && form.http_1_0) out.append("Connection: keep-alive\r\n");
  static constexpr std::array<std::string_view, 6> written{
      "date",       "content-type",          "content-length", "transfer-encoding",
      "connection", "x-content-type-options"};
  bool cache_control = false;
  for (const Header& header : response.headers) {
    RINGPOST_ASSERT(!named(written, header.name));
    cache_control = cache_control || equal_ignoring_case(header.name, "cache-control");
    append_header(out, header.name, header.value);
  }
  if (!cache_control) out.append("Cache-Control: no-store\r\n");
  out.append("\r\n");
}

}  // namespace

void append_response(std::string& out, const Response& response, bool keep_alive, WallTime now,
                     ResponseForm form) {
  const bool may_have_body = response.status != 204 && response.status != 304;
  RINGPOST_ASSERT(may_have_body || response.body.empty());
  begin_head(out, response, now, !response.body.empty());
  if (may_have_body) {
    out.append("Content-Length: ");
    append_number(out, response.body.size());
    out.append("\r\n");
  }
  end_head(out, response, keep_alive, form);
  if (!form.head_only) out.append(response.body);
}

void append_stream_head(std::string& out, const Response& response, bool keep_alive, WallTime now,
                        ResponseForm form) {
  RINGPOST_ASSERT(response.body.empty());
  RINGPOST_ASSERT(!form.http_1_0 || !keep_alive);
  begin_head(out, response, now, true);
  if (!form.http_1_0) out.append("Transfer-Encoding: chunked\r\n");
  end_head(out, response, keep_alive, form);
}

void append_chunk(std::string& out, std::string_view piece) {
  RINGPOST_ASSERT(!piece.empty());
  char digits[16];
  const auto end = std::to_chars(digits, digits + sizeof digits, piece.size(), 16).ptr;
  out.append(digits, static_cast<size_t>(end - digits));
  out.append("\r\n").append(piece).append("\r\n");
}

void append_request_head(std::string& out, const RequestHead& head,
                         std::span<const Header> headers) {
  const auto visible = [](std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7F; });
  };
  RINGPOST_ASSERT(is_token(head.method));
  RINGPOST_ASSERT(visible(head.target));
  RINGPOST_ASSERT(head.target.front() == '/');
  RINGPOST_ASSERT(visible(head.authority));
  out.append(head.method).append(" ").append(head.target).append(" HTTP/1.1\r\n");
  append_header(out, "Host", head.authority);
  static constexpr std::array<std::string_view, 4> written{"host", "content-length",
                                                           "transfer-encoding", "connection"};
  for (const Header& header : headers) {
    RINGPOST_ASSERT(!named(written, header.name));
    append_header(out, header.name, header.value);
  }
  if (head.body_bytes > 0 || (head.method != "GET" && head.method != "HEAD")) {
    out.append("Content-Length: ");
    append_number(out, head.body_bytes);
    out.append("\r\n");
  }
  if (!head.keep_alive) out.append("Connection: close\r\n");
  out.append("\r\n");
}

bool valid_header_name(std::string_view name) {
  return name.size() <= 256 && is_token(name);
}

bool valid_header_value(std::string_view value) {
  return value.size() <= 8192 && is_field_text(value) && trim(value).size() == value.size();
}

bool reserved_request_header(std::string_view name) {
  static constexpr std::array<std::string_view, 19> names{"host",
                                                          "content-length",
                                                          "transfer-encoding",
                                                          "connection",
                                                          "keep-alive",
                                                          "proxy-connection",
                                                          "te",
                                                          "trailer",
                                                          "upgrade",
                                                          "expect",
                                                          "http2-settings",
                                                          "content-type",
                                                          "content-encoding",
                                                          "user-agent",
                                                          "date",
                                                          "traceparent",
                                                          "proxy-authorization",
                                                          "max-forwards",
                                                          "range"};
  static constexpr std::array<std::string_view, 2> prefixes{"webhook-", "ringpost-"};
  const bool prefixed = std::ranges::any_of(prefixes, [&](std::string_view prefix) {
    return equal_ignoring_case(name.substr(0, prefix.size()), prefix);
  });
  return prefixed || named(names, name);
}

std::string_view reason_phrase(uint16_t status) {
  switch (status) {
    case 100: return "Continue";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 425: return "Too Early";
    case 426: return "Upgrade Required";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    case 508: return "Loop Detected";
    default: return "Unknown";
  }
}

}  // namespace ringpost::http
