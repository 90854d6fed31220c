#include "http/head_reader.h"

#include "base/assert.h"
#include "http/syntax.h"

#include <algorithm>
#include <cstring>

namespace ringpost::http {

std::string_view describe(HeadFault fault) {
  switch (fault) {
    case HeadFault::none: return "no fault";
    case HeadFault::binary: return "this is not HTTP (was TLS sent to a port without TLS?)";
    case HeadFault::first_line_too_long: return "the first line is too long";
    case HeadFault::line_too_long: return "a header line is too long";
    case HeadFault::headers_too_many: return "there are too many header lines";
    case HeadFault::headers_too_large: return "the headers together are too large";
    case HeadFault::bare_line_feed: return "a line ends with LF alone; it has to be CR LF";
    case HeadFault::control_byte: return "a line contains a control character";
    case HeadFault::leading_space: return "a line begins with white space";
    case HeadFault::empty_line: return "there is an empty line where the first line should be";
  }
  RINGPOST_UNREACHABLE();
}

namespace {

bool begins_no_line(char byte) {
  return static_cast<uint8_t>(byte) < 0x20 && byte != '\r' && byte != '\n' && byte != '\t';
}

}  // namespace

void HeadReader::begin_piece(Bytes bytes) {
  RINGPOST_ASSERT(fault_ == HeadFault::none);
  consumed_ = 0;
  if (partial_.empty()) {
    view_ = as_text(bytes);
    piece_start_ = 0;
    return;
  }
  // The limits end the head within head_bytes_max, so what is left out is never part of it.
  piece_start_ = partial_.size();
  const size_t room = limits_.head_bytes_max() + 1 - piece_start_;
  partial_.append(as_text(bytes.first(std::min(bytes.size(), room))));
  view_ = partial_;
}

HeadReader::Progress HeadReader::next() {
  // Whoever begins so (a TLS hello, at a port without TLS) may never send a line feed.
  if (lines_ == 0 && cursor_ < view_.size() && begins_no_line(view_[cursor_])) {
    return fail(HeadFault::binary);
  }
  if (scanned_ < view_.size()) {
    const char* from = view_.data() + scanned_;
    const void* found = std::memchr(from, '\n', view_.size() - scanned_);
    if (found != nullptr) {
      return take_line(static_cast<size_t>(static_cast<const char*>(found) - view_.data()));
    }
    scanned_ = view_.size();
  }
  return wait();
}

/// Sizes come first and the line's bytes second, because only sizes can be judged before the line
/// has ended: so the verdict is the same for every cut.
HeadReader::Progress HeadReader::take_line(size_t line_feed) {
  const bool with_return = line_feed > cursor_ && view_[line_feed - 1] == '\r';
  const size_t end = with_return ? line_feed - 1 : line_feed;
  line_ = view_.substr(cursor_, end - cursor_);
  const size_t with_end_bytes = line_feed + 1 - cursor_;

  if (line_.empty() && with_return && lines_ == 0 && rules_ == Rules::strict && head_start_ == 0) {
    head_start_ = cursor_ = scanned_ = line_feed + 1;
    return next();
  }
  if (line_.empty() && lines_ != 0 && (with_return || tolerates(HeadFault::bare_line_feed))) {
    cursor_ = line_feed + 1;
    consumed_ = cursor_ - piece_start_;
    return Progress::end;
  }
  const HeadFault size_fault = check_size(line_.size(), with_end_bytes);
  if (size_fault != HeadFault::none) return fail(size_fault);
  if (lines_ > limits_.headers_max) return fail(HeadFault::headers_too_many);
  if (!with_return && !tolerates(HeadFault::bare_line_feed)) return fail(HeadFault::bare_line_feed);
  if (!is_field_text(line_) && !tolerates(HeadFault::control_byte)) {
    return fail(HeadFault::control_byte);
  }
  if (line_.empty()) return fail(HeadFault::empty_line);
  const bool indented = line_.front() == ' ' || line_.front() == '\t';
  if (indented && (lines_ == 0 || !tolerates(HeadFault::leading_space))) {
    return fail(HeadFault::leading_space);
  }
  if (lines_ > 0) header_bytes_ += static_cast<uint32_t>(with_end_bytes);
  ++lines_;
  cursor_ = scanned_ = line_feed + 1;
  return Progress::line;
}

HeadReader::Progress HeadReader::wait() {
  const size_t pending = view_.size() - cursor_;
  // A last CR may belong to the line's end, a single one even to the end of the head: neither
  // counts yet. Whatever is beyond a limit here would be beyond it with its line feed too.
  const HeadFault fault = pending < 2 ? HeadFault::none : check_size(pending - 1, pending);
  if (fault != HeadFault::none) return fail(fault);
  RINGPOST_ASSERT(view_.size() <= limits_.head_bytes_max());
  consumed_ = view_.size() - piece_start_;
  if (partial_.empty()) partial_.assign(view_);
  return Progress::need_more;
}

HeadFault HeadReader::check_size(size_t line_bytes, size_t with_end_bytes) const {
  if (lines_ == 0) {
    return line_bytes > limits_.first_line_bytes_max ? HeadFault::first_line_too_long
                                                     : HeadFault::none;
  }
  // The limit that the line meets first, so that it is the same one however the line is cut.
  const bool line_first = limits_.header_bytes_max - header_bytes_ > limits_.line_bytes_max;
  if (line_first && line_bytes > limits_.line_bytes_max) return HeadFault::line_too_long;
  return header_bytes_ + with_end_bytes > limits_.header_bytes_max ? HeadFault::headers_too_large
                                                                   : HeadFault::none;
}

bool HeadReader::tolerates(HeadFault fault) {
  if (rules_ == Rules::strict) return false;
  if (tolerated_ == HeadFault::none) tolerated_ = fault;
  return true;
}

HeadReader::Progress HeadReader::fail(HeadFault fault) {
  fault_ = fault;
  return Progress::failed;
}

void HeadReader::reset() {
  if (partial_.capacity() > 64) std::string{}.swap(partial_);
  partial_.clear();
  view_ = {};
  piece_start_ = cursor_ = scanned_ = head_start_ = consumed_ = 0;
  line_ = {};
  lines_ = header_bytes_ = 0;
  fault_ = tolerated_ = HeadFault::none;
}

}  // namespace ringpost::http
