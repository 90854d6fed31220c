#pragma once

#include "base/clock.h"
#include "http/message.h"
#include "http/problem.h"
#include "incoming/facts.h"
#include "journal/record.h"
#include "json/document.h"
#include "subscription/git_source.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace ringpost::incoming {

/// What the path of a call says: `/in/<host>/<token>`.
struct Address {
  std::string_view host;
  std::array<uint8_t, 32> sha256{};  ///< Of the token.
};
/// Nothing if it is no such path. Borrows from `path`.
std::optional<Address> read_address(std::string_view path);
/// The path that a host has to call.
std::string path_of(const subscription::GitSource& source);

/// The largest body that is read of a host's call.
uint64_t body_bytes_max(subscription::GitHost host);

/// Reads the calls of git hosts: whether they are authentic, and what events they make. Keeps its
/// memory from call to call. One thread at a time.
class Receiver {
 public:
  /// A call that makes no event, and why: an answer of 200.
  struct Notice {
    std::string message;
  };
  /// The events are in `events`; or there are none.
  using Outcome = std::variant<std::monostate, Notice, http::Problem>;

  /// @param request  whole, from a host that called `source`. Borrowed until the next call.
  /// @param events   emptied first. Of each event, attributes, extensions and data are set as
  ///                 ingest::EventParser sets them; views point into the request and into this
  ///                 object, until the next call.
  /// @returns        401 if the call is not authentic: nothing else is said then. 400, 413, 415 or
  ///                 422 if it is, and cannot be read.
  Outcome receive(const http::Request& request, const subscription::GitSource& source, WallTime now,
                  std::vector<journal::EventView>& events);

 private:
  /// One event: what its view points into.
  struct Texts {
    Facts facts;
    std::string id;
    std::string source;
    std::string extensions;
  };

  std::optional<http::Problem> read_body(const http::Request& request);
  Outcome read(const http::Request& request, subscription::GitHost host,
               std::vector<journal::EventView>& events);
  std::optional<http::Problem> write_events(const http::Request& request,
                                            subscription::GitHost host, std::string_view event,
                                            std::vector<journal::EventView>& events);

  json::Document document_;
  std::string decoded_;    ///< The JSON of a form.
  std::string_view json_;  ///< Of the call in hand.
  std::vector<Facts> facts_;
  std::vector<Texts> texts_;
};

}  // namespace ringpost::incoming
