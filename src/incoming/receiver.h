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

/// The slug of the app of which a source's calls start builds (`build/trigger` of `app/<slug>`).
/// Empty: they are events of repositories (`repository/<host>/<path>`). It is a part of the URL, in
/// GitSource::path_token: `<app>/<token>`.
std::string_view app_of(const subscription::GitSource& source);
/// What its events are about, as a pattern of sources: `app/<slug>`, or `repository/*`.
std::string events_source_of(const subscription::GitSource& source);
/// Why a text cannot be an app's slug, as a part of a sentence; empty if it can be.
std::string_view object_to_app_slug(std::string_view slug);

/// What the path of a call says: `/in/<host>/<token>`, or `/h/<service>/<app>/<token>`.
struct Address {
  std::string_view host;             ///< Or service.
  std::string_view app;              ///< Empty in the first form.
  std::array<uint8_t, 32> sha256{};  ///< Of the token, or of `<app>/<token>`.

  /// Whether host and app are the source's.
  bool names(const subscription::GitSource& source) const;
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
  /// An answer, in JSON.
  struct Notice {
    uint16_t status = 200;
    std::string body;
  };
  /// What to answer once the events are durable. Nothing: as producers are answered.
  struct Accepted {
    std::optional<Notice> answer;
  };
  /// The events are in `events`; or there are none, and this is the answer.
  using Outcome = std::variant<Accepted, Notice, http::Problem>;

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
    std::string data;  ///< Of a build; else the data is what the host sent.
  };

  std::optional<http::Problem> read_body(const http::Request& request);
  Outcome read(const http::Request& request, const subscription::GitSource& source,
               std::vector<journal::EventView>& events);
  Outcome read_event(subscription::GitHost host, std::string_view event,
                     std::vector<journal::EventView>& events);
  Outcome read_builds(const subscription::GitSource& source, std::string_view event,
                      std::vector<journal::EventView>& events);
  std::optional<http::Problem> read_id(const http::Request& request, subscription::GitHost host);
  journal::EventView& add_view(std::vector<journal::EventView>& events, std::string_view source);
  std::optional<http::Problem> write_events(subscription::GitHost host, std::string_view event,
                                            std::vector<journal::EventView>& events);

  json::Document document_;
  std::string decoded_;    ///< The JSON of a form.
  std::string_view json_;  ///< Of the call in hand; so is the next one.
  std::string_view id_;    ///< The delivery's; may be empty.
  std::vector<Facts> facts_;
  std::vector<Texts> texts_;
};

}  // namespace ringpost::incoming
