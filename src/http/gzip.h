#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace ringpost::http {

/// The text with gzip (RFC 1952), for speed rather than for size.
std::string gzip(std::string_view text);

/// Unpacks gzip in steps, each of bounded work and memory, whatever the input claims.
class GzipReader {
 public:
  enum class Progress : uint8_t {
    more,      ///< There is more to do.
    complete,  ///< All of the input is unpacked.
    malformed  ///< The input is not gzip, is damaged, or ends too early.
  };

  GzipReader();
  ~GzipReader();

  /// Appends to `out` what the next of `input` comes to. @param input  what is not read yet; the
  /// call takes from its front. @param bytes_max  of what is appended; at least 1.
  Progress read(std::string_view& input, std::string& out, size_t bytes_max);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ringpost::http
