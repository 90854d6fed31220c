#pragma once

#include "http/request_parser.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::http {

/// What one connection's bytes were read as.
struct Reading {
  std::vector<Request> requests;
  uint16_t status = 0;  ///< Of the refusal; 0 if nothing was refused.
  std::string detail;
  bool idle = false;  ///< No byte is left of an unfinished request.

  friend bool operator==(const Reading& left, const Reading& right) {
    const auto same_header = [](const Header& a, const Header& b) {
      return a.name == b.name && a.value == b.value;
    };
    const auto same_request = [&](const Request& a, const Request& b) {
      return a.method == b.method && a.target == b.target && a.path == b.path &&
             a.query == b.query && a.body == b.body && a.keep_alive == b.keep_alive &&
             std::ranges::equal(a.headers, b.headers, same_header);
    };
    return left.status == right.status && left.idle == right.idle &&
           std::ranges::equal(left.requests, right.requests, same_request);
  }
};

/// Reads `bytes` in pieces that end at `cuts` (ascending) and at the end.
inline Reading read_pieces(std::string_view bytes, const std::vector<size_t>& cuts,
                           uint64_t body_bytes_max) {
  RequestParser parser;
  Reading reading;
  size_t at = 0;
  size_t cut = 0;
  while (at < bytes.size()) {
    while (cut < cuts.size() && cuts[cut] <= at) ++cut;
    const size_t end = cut < cuts.size() ? std::min(cuts[cut], bytes.size()) : bytes.size();
    size_t consumed = 0;
    auto progress = parser.feed(as_bytes(bytes.substr(at, end - at)), consumed);
    if (progress == RequestParser::Progress::failed) {
      reading.status = parser.error().status;
      reading.detail = parser.error().detail;
      return reading;
    }
    at += consumed;
    if (progress == RequestParser::Progress::head_complete) {
      progress = parser.accept_body(body_bytes_max);
    }
    if (progress == RequestParser::Progress::failed) {
      reading.status = parser.error().status;
      reading.detail = parser.error().detail;
      return reading;
    }
    if (progress == RequestParser::Progress::complete) {
      reading.requests.push_back(parser.take_request());
    }
  }
  reading.idle = parser.idle();
  return reading;
}

inline Reading read_whole(std::string_view bytes, uint64_t body_bytes_max = 1 << 20) {
  return read_pieces(bytes, {}, body_bytes_max);
}

inline Reading read_byte_by_byte(std::string_view bytes, uint64_t body_bytes_max = 1 << 20) {
  std::vector<size_t> cuts(bytes.size());
  for (size_t index = 0; index < cuts.size(); ++index) cuts[index] = index + 1;
  return read_pieces(bytes, cuts, body_bytes_max);
}

/// A printable form of bytes, for messages.
inline std::string shown(std::string_view bytes) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes.substr(0, 300)) {
    const auto code = static_cast<uint8_t>(byte);
    if (code >= 0x20 && code < 0x7F) {
      text.push_back(byte);
    } else {
      text.append("\\x").append({digits[code >> 4], digits[code & 15]});
    }
  }
  return text;
}

}  // namespace ringpost::http
