#pragma once

#include "base/bytes.h"
#include "http/syntax.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ringpost::http {

/// The bounds of a message's head. All sizes in bytes.
struct HeadLimits {
  uint32_t first_line_bytes_max;  ///< Without its CRLF.
  uint32_t line_bytes_max;        ///< Of one header line, without its CRLF.
  uint32_t headers_max;
  uint32_t header_bytes_max;  ///< Of all header lines with their CRLFs.

  /// What may have to be kept while a head arrives in pieces: an empty line before it, its lines,
  /// and the empty line at its end.
  size_t head_bytes_max() const { return size_t{first_line_bytes_max} + header_bytes_max + 6; }
};

enum class HeadFault : uint8_t {
  none,
  binary,  ///< The first byte is a control byte: TLS, for example.
  first_line_too_long,
  line_too_long,
  headers_too_many,
  headers_too_large,
  bare_line_feed,  ///< LF without CR before it.
  control_byte,    ///< A lone CR, NUL or other control byte inside a line.
  leading_space,   ///< A line that begins with white space: a fold, or in the first place.
  empty_line,      ///< Where the first line should be.
};
/// What `fault` means.
std::string_view describe(HeadFault fault);

/// Finds the lines of one head, and its end, in bytes that come in any pieces. A head that arrives
/// whole is not copied.
///
/// Strict, it refuses every line whose end could be read in two ways, and skips one empty line
/// before the head (RFC 9112, 2.2: what a server does). Tolerant, it takes LF alone for a line end,
/// and passes on lines with control bytes and, behind the first line, ones that begin with white
/// space; `tolerated()` says so.
///
/// Invariant: which fault is found depends on the bytes alone, never on how they were cut, and a
/// fault of an earlier line wins. Memory: at most `head_bytes_max()`, none between heads.
class HeadReader {
 public:
  enum class Progress : uint8_t { need_more, line, end, failed };

  HeadReader(const HeadLimits& limits, Rules rules) : limits_(limits), rules_(rules) {}

  /// Gives the reader bytes to look at; then `next` until it answers something else than `line`.
  /// `bytes` are borrowed until then.
  void begin_piece(Bytes bytes);
  /// The next whole line: see `line()`. After `end`: see `head()`. After `need_more` and `end`
  /// `consumed()` says how much of the piece belongs to the head.
  Progress next();

  /// Without its line end, not empty; field text (see syntax.h) unless something was tolerated.
  /// Valid until the next call.
  std::string_view line() const { return line_; }
  /// Whether `line()` is the first line, the one that is no header.
  bool first_line() const { return lines_ == 1; }
  /// After `first_line_too_long`: the line's first `first_line_bytes_max` bytes.
  std::string_view cut_first_line() const {
    return view_.substr(cursor_, limits_.first_line_bytes_max);
  }
  /// The whole head, with the empty line at its end; after `failed` its whole lines so far. Valid
  /// until the next call, as long as the piece is.
  std::string_view head() const { return view_.substr(head_start_, cursor_ - head_start_); }
  /// The bytes from the head's first on, as many as have come; after its end others may follow.
  /// Valid as `head()` is.
  std::string_view seen() const { return partial_.empty() ? view_ : partial_; }
  /// Header lines so far.
  uint32_t headers() const { return lines_ == 0 ? 0 : lines_ - 1; }
  size_t consumed() const { return consumed_; }
  HeadFault fault() const { return fault_; }
  /// The first thing in this head that strict rules would have refused.
  HeadFault tolerated() const { return tolerated_; }
  /// Whether a byte of the head was seen.
  bool begun() const { return cursor_ != 0 || !partial_.empty(); }

  /// Ready for another head.
  void reset();

 private:
  Progress take_line(size_t line_feed);
  Progress wait();
  Progress fail(HeadFault fault);
  bool tolerates(HeadFault fault);
  HeadFault check_size(size_t line_bytes, size_t with_end_bytes) const;

  const HeadLimits limits_;
  const Rules rules_;

  std::string partial_;     ///< The head so far, if it came in more than one piece.
  std::string_view view_;   ///< The bytes from the head's first: the piece, or `partial_`.
  size_t piece_start_ = 0;  ///< Where the current piece begins in `view_`.
  size_t cursor_ = 0;       ///< Of the line being looked for, in `view_`.
  size_t scanned_ = 0;      ///< There is no line feed between `cursor_` and here.
  size_t head_start_ = 0;   ///< 2 if an empty line was skipped.
  size_t consumed_ = 0;
  std::string_view line_;
  uint32_t lines_ = 0;
  uint32_t header_bytes_ = 0;
  HeadFault fault_ = HeadFault::none;
  HeadFault tolerated_ = HeadFault::none;
};

}  // namespace ringpost::http
