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
/// The slug of the pipeline that a trigger is for, which GitSource::path_token begins with, too;
/// empty for all other sources.
std::string_view pipeline_of(const subscription::GitSource& source);
/// What its events are about, as a pattern of sources: `app/<slug>`, `pipeline/<slug>`, or
/// `repository/*`.
std::string events_source_of(const subscription::GitSource& source);
/// Why a text cannot be an app's slug, or a pipeline's, as a part of a sentence; empty if it can
/// be.
std::string_view object_to_app_slug(std::string_view slug);

/// What tokens of triggers begin with.
inline constexpr std::string_view trigger_prefix = "bktr_";

/// What the path of a call says: `/in/<host>/<token>`, `/h/<service>/<app>/<token>`, or
/// `/deliver/<token>`.
struct Address {
  std::string_view host;             ///< Or service; empty in the last form.
  std::string_view app;              ///< Only in the second form.
  std::array<uint8_t, 32> sha256{};  ///< Of the token, or of `<app>/<token>`.

  /// Whether host and app are the source's.
  bool names(const subscription::GitSource& source) const;
};
/// Nothing if it is no such path. Borrows from `path`.
std::optional<Address> read_address(std::string_view path);
/// Why a call of this path is not taken. Nothing: it is.
/// @param source  that the path names; nullptr if there is none.
std::optional<http::Problem> refuse_call(std::string_view path,
                                         const subscription::GitSource* source);
/// What Address::sha256 is for calls of this source: GitSource::sha256.
std::array<uint8_t, 32> path_hash_of(const subscription::GitSource& source);
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
    bool answers_id = false;  ///< 201 and `{"id": <of the event, as a UUID>}`.
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

  Outcome receive_trigger(const http::Request& request, const subscription::GitSource& source,
                          WallTime now, std::vector<journal::EventView>& events);
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
