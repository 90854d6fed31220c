#pragma once

#include "base/bytes.h"
#include "http/syntax.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ringpost::http {

/// What delimits a message's body (RFC 9112, 6.3).
enum class BodyFraming : uint8_t { none, length, chunked, until_close };

enum class BodyFault : uint8_t {
  none,
  chunk_size,       ///< Not 1 to 16 hexadecimal digits.
  chunk_extension,  ///< Malformed, or too much of it.
  chunk_end,        ///< A chunk's data or size line is not followed by CR LF.
  trailer,          ///< Malformed, or a field that must not be there.
  trailer_too_large,
};
/// What `fault` means.
std::string_view describe(BodyFault fault);

/// Takes the framing off a body that comes in any pieces. Trailers are checked and thrown away.
///
/// Both rules: a chunk size has at most 16 digits, a body at most 1 KiB of extensions, and no
/// trailer means something in a head. Strict, narrower than RFC 9112, 7.1 where bytes could be read
/// in two ways: no white space around a chunk size, no line feed without its CR, no quotes in
/// extensions. Tolerant: white space behind a size is removed, extensions are ignored up to the
/// line's end, and a line may end with LF alone, which `bare_line_feed()` tells.
class BodyReader {
 public:
  static constexpr uint32_t extension_bytes_max = 1024;
  static constexpr uint32_t trailer_line_bytes_max = 2048;
  static constexpr uint32_t trailer_bytes_max = 8192;

  enum class Progress : uint8_t { need_more, data, complete, failed };
  struct Piece {
    Progress progress;
    Bytes data;           ///< With `data`: borrowed from the bytes given.
    size_t consumed = 0;  ///< Of the bytes given; `need_more` takes all.
  };

  explicit BodyReader(Rules rules) : rules_(rules) {}

  /// Ready for a body. @param length  of `BodyFraming::length`, else 0.
  void begin(BodyFraming framing, uint64_t length);

  /// The next stretch of data in `bytes`; give the rest back after `data`. `complete` may come with
  /// bytes left over: they belong to the next message. An empty body is complete without a byte.
  Piece next(Bytes bytes);

  /// At the end of the stream: whether the body ends here, as only `until_close` may.
  bool ends_at_eof() const { return state_ == State::data && framing_ == BodyFraming::until_close; }
  /// Bytes that are announced and still to come: of the body, or of the current chunk.
  uint64_t announced_bytes() const { return state_ == State::data ? remaining_ : 0; }
  BodyFault fault() const { return fault_; }
  /// Tolerant: a line of this body ended with LF alone.
  bool bare_line_feed() const { return bare_line_feed_; }

 private:
  enum class State : uint8_t {
    data,
    data_end_return,
    data_end_feed,
    size_first,
    size_digits,
    size_space,
    extension,
    size_end_feed,
    trailer,
    done,
  };
  enum class ExtensionPart : uint8_t { name_first, name, value_first, value };

  Piece next_data(Bytes bytes);
  Piece next_framing(Bytes bytes);
  bool step(char byte);
  bool step_size(char byte);
  bool step_size_space(char byte);
  bool step_extension(char byte);
  bool skip_extension(char byte);
  bool begin_extension();
  bool end_of_size();
  bool tolerates_line_feed();
  bool step_trailer(char byte);
  bool end_of_trailer_line();
  bool refuse(BodyFault fault);

  const Rules rules_;
  BodyFraming framing_ = BodyFraming::none;
  State state_ = State::done;
  BodyFault fault_ = BodyFault::none;
  ExtensionPart extension_part_ = ExtensionPart::name_first;
  bool bare_line_feed_ = false;
  uint8_t size_digits_ = 0;
  uint64_t remaining_ = 0;  ///< Of the body or the chunk.
  uint32_t extension_bytes_ = 0;
  uint32_t trailer_bytes_ = 0;
  std::string trailer_line_;  ///< With its CR, while it is being read.
};

/// RFC 9110, 6.5.1: whether `name` must not appear in a trailer, because it frames, routes,
/// authenticates or describes the message.
bool forbidden_in_trailer(std::string_view name);

}  // namespace ringpost::http
