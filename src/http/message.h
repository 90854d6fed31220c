#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ringpost::http {

struct Header {
  std::string name;   ///< As sent; compared without regard to case.
  std::string value;  ///< Without the white space around it.
};

/// One whole request, as every part of the relay sees it (one reading: reliability rule 6).
struct Request {
  std::string method;
  std::string target;  ///< As in the request line, without scheme and authority: origin form.
  std::string path;   ///< Of the target: percent-decoded once where harmless, without dot segments.
  std::string query;  ///< Of the target, still encoded, without `?`.
  std::vector<Header> headers;  ///< In order; never holds trailers.
  std::string body;             ///< 64 bytes beyond its size are allocated (simdjson's padding).
  bool keep_alive = true;

  /// The value of a header that may appear once; empty if absent.
  std::string_view header(std::string_view name) const;
  bool has_header(std::string_view name) const;
};

struct Response {
  uint16_t status = 200;
  std::string content_type = "application/json";  ///< Not sent when the body is empty.
  std::vector<Header> headers;                    ///< Besides the ones the serialiser writes.
  std::string body;
};

/// Names a request of a connection of one shard; stale if the connection has gone meanwhile.
struct RequestHandle {
  uint32_t index = 0;
  uint32_t generation = 0;
};

}  // namespace ringpost::http
