#include "http/gzip.h"

#include "base/assert.h"

#include <algorithm>
#include <zlib.h>

namespace ringpost::http {

namespace {

/// The largest window, in the form of gzip and no other (zlib.h, inflateInit2).
constexpr int gzip_window_bits = 15 + 16;
constexpr int memory_level = 8;  ///< zlib's default.

constexpr size_t step_input_max = 64 * 1024;

/// zlib does not write there.
Bytef* input_of(std::string_view text) {
  return reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
}

}  // namespace

std::string gzip(std::string_view text) {
  z_stream stream{};
  const int begun = deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, gzip_window_bits, memory_level,
                                 Z_DEFAULT_STRATEGY);
  RINGPOST_ASSERT(begun == Z_OK);
  stream.next_in = input_of(text);
  stream.avail_in = static_cast<uInt>(text.size());
  const size_t room = deflateBound(&stream, text.size());
  std::string out;
  out.resize_and_overwrite(room, [&](char* to, size_t /*capacity*/) {
    stream.next_out = reinterpret_cast<Bytef*>(to);
    stream.avail_out = static_cast<uInt>(room);
    const int done = deflate(&stream, Z_FINISH);
    RINGPOST_ASSERT(done == Z_STREAM_END);  // The room is what zlib asked for.
    return room - stream.avail_out;
  });
  deflateEnd(&stream);
  return out;
}

struct GzipReader::State {
  z_stream stream{};
};

GzipReader::GzipReader() : state_(std::make_unique<State>()) {
  const int begun = inflateInit2(&state_->stream, gzip_window_bits);
  RINGPOST_ASSERT(begun == Z_OK);
}

GzipReader::~GzipReader() {
  inflateEnd(&state_->stream);
}

GzipReader::Progress GzipReader::read(std::string_view& input, std::string& out, size_t bytes_max) {
  z_stream& stream = state_->stream;
  const size_t taking = std::min(input.size(), step_input_max);
  stream.next_in = input_of(input);
  stream.avail_in = static_cast<uInt>(taking);
  const size_t before = out.size();
  int done = Z_OK;
  out.resize_and_overwrite(before + bytes_max, [&](char* to, size_t /*capacity*/) {
    stream.next_out = reinterpret_cast<Bytef*>(to + before);
    stream.avail_out = static_cast<uInt>(bytes_max);
    done = inflate(&stream, Z_NO_FLUSH);
    return before + bytes_max - stream.avail_out;
  });
  input.remove_prefix(taking - stream.avail_in);
  if (done == Z_STREAM_END) {
    if (input.empty()) return Progress::complete;
    inflateReset(&stream);  // The next member: RFC 1952, 2.2.
    return Progress::more;
  }
  const bool starved = input.empty() && stream.avail_out > 0;
  return done == Z_OK && !starved ? Progress::more : Progress::malformed;
}

}  // namespace ringpost::http
