#include "ingest/unpacking.h"

#include "http/request_parser.h"
#include "ingest/refusal.h"

#include <algorithm>
#include <string>
#include <utility>

namespace ringpost::ingest {

namespace {

constexpr uint64_t first_room = 64 * 1024;

/// What a step costs beside its bytes: a member of gzip may be empty.
constexpr int64_t step_work = 500;

http::Problem malformed() {
  return {.status = 400,
          .type = "urn:ringpost:malformed",
          .detail =
              "The body is not gzip, or it is damaged or not complete, though the header "
              "Content-Encoding says gzip."};
}

}  // namespace

Unpacking::Unpacking(http::Request& request, uint64_t bytes_max)
    : request_(request), bytes_max_(bytes_max), input_(request.body) {}

std::optional<http::Problem> Unpacking::proceed(Answers& answers, http::RequestHandle handle,
                                                int64_t& work_left) {
  while (work_left > 0) {
    if (body_.size() == room_ && !make_room(answers, handle)) return bodies_refusal();
    const size_t bytes_before = body_.size();
    const size_t input_before = input_.size();
    const auto progress = reader_.read(input_, body_, room_ - bytes_before);
    const size_t bytes = std::max(body_.size() - bytes_before, input_before - input_.size());
    work_left -= step_work + static_cast<int64_t>(bytes);
    if (body_.size() > bytes_max_) return too_large();
    if (progress == http::GzipReader::Progress::malformed) return malformed();
    if (progress == http::GzipReader::Progress::complete) {
      request_.body = std::move(body_);
      done_ = true;
      return std::nullopt;
    }
  }
  return std::nullopt;
}

/// One byte more than is allowed shows that there are more.
bool Unpacking::make_room(Answers& answers, http::RequestHandle handle) {
  room_ = std::min(std::max(first_room, room_ * 2), bytes_max_ + 1);
  if (!answers.hold(handle, request_.body.size() + room_)) return false;
  body_.reserve(room_ + http::body_padding_bytes);
  return true;
}

http::Problem Unpacking::too_large() const {
  return {.status = 413,
          .type = "urn:ringpost:too-large",
          .detail = "A body of more than " + std::to_string(bytes_max_) + " bytes when unpacked."};
}

}  // namespace ringpost::ingest
