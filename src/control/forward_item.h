#pragma once

#include "base/clock.h"
#include "base/ulid.h"
#include "http/message.h"
#include "journal/position.h"
#include "journal/record.h"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace ringpost::control {

/// How events are laid out in a request to the central relay. One request has one form.
enum class ForwardForm : uint8_t {
  batch,  ///< CloudEvents: an array.
  /// Native, one a line: CloudEvents has no place for several teams, which are an array.
  lines,
  one,  ///< The same alone: its data has line breaks of its own.
  /// CloudEvents' binary mode, alone: smaller than as JSON, where its data is bytes by a third.
  binary,
};

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
  std::string json;                   ///< Of the form `binary`: the bytes of its data.
  std::vector<http::Header> headers;  ///< Of that form: its attributes.
  bool only_here = false;  ///< Its segment is gone: when this run ends without it, it is lost.
  /// The central relay may have it since then, or since later; nothing: it has not.
  std::optional<WallTime> maybe_sent_at{};
  bool there = false;    ///< The central relay has it: it is not sent.
  bool resumed = false;  ///< An earlier run may have sent it.
  /// It was set aside with this status, and is to be sent again; nothing: it was not.
  std::optional<uint16_t> set_aside_status{};
};

/// The same id, source, type, time, attributes and bytes of data as the event came with. One
/// without a time has that of its acceptance.
ForwardItem forward_item(const journal::EventView& event, journal::Position position, uint64_t nth);

/// Gives a `batch` item the form `binary`. Numbers and booleans among its attributes become texts.
/// @param event  of the item. @returns false, and changes nothing, if they are too long for
/// headers.
bool make_binary(ForwardItem& item, const journal::EventView& event);

/// Adds the headers of a request that begins with this event.
void append_headers(std::vector<http::Header>& headers, const ForwardItem& first);
/// How many of these events, of one form but for the first, may be in one request.
size_t count_in_request(const std::deque<ForwardItem>& items);
/// The body of a request with the first `count` of these events, all of one form.
std::string forward_body(const std::deque<ForwardItem>& items, size_t count);

}  // namespace ringpost::control
