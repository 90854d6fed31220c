#pragma once

#include "base/clock.h"
#include "base/ulid.h"
#include "journal/position.h"
#include "journal/record.h"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace ringpost::control {

/// How events are laid out in a request to the central relay. One request has one form.
enum class ForwardForm : uint8_t {
  batch,  ///< CloudEvents: an array.
  /// Native, one a line: CloudEvents has no place for several teams, which are an array.
  lines,
  one,  ///< The same alone: its data has line breaks of its own.
};

std::string_view content_type_of(ForwardForm form);

/// An event on its way to the central relay.
struct ForwardItem {
  journal::Position position;
  uint64_t nth = 0;  ///< Of the events of its segment, from 1.
  Ulid uid;
  WallTime accepted_at{};
  std::string organization;
  std::string id;
  std::string source;
  std::string type;
  uint32_t hops = 0;  ///< Over how many relays it came here.
  ForwardForm form = ForwardForm::batch;
  std::string json;
  bool only_here = false;  ///< Its segment is gone: when this run ends without it, it is lost.
  /// The central relay may have it since then, or since later; nothing: it has not.
  std::optional<WallTime> maybe_sent_at{};
};

/// The same id, source, type, time, attributes and bytes of data as the event came with. One
/// without a time has that of its acceptance.
ForwardItem forward_item(const journal::EventView& event, journal::Position position, uint64_t nth);

/// The body of a request with the first `count` of these events, all of one form.
std::string forward_body(const std::deque<ForwardItem>& items, size_t count);

}  // namespace ringpost::control
