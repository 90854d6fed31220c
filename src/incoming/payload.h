#pragma once

#include "http/problem.h"
#include "incoming/facts.h"
#include "json/document.h"
#include "json/path.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::incoming {

/// The JSON object that a host sent, and short ways to what it holds. Borrows the document.
class Payload {
 public:
  explicit Payload(json::Document& document) : document_(document) {}

  /// A string's text, an integer in decimal; empty for anything else.
  std::string text(const json::Path& path) const;
  /// The same for a path that is made as it goes: into an array, for example.
  std::string text(const std::string& path) const { return text(json::Path::constant(path)); }
  /// The first that is not empty.
  std::string text(const json::Path& path, const json::Path& otherwise) const;
  bool is_true(const json::Path& path) const;
  bool is_object(const json::Path& path) const;
  /// A value as it was spelled; empty if there is none.
  std::string_view spelled(const json::Path& path) const { return document_.spelled(path); }
  /// The same of an array; empty for anything else.
  std::string_view array(const std::string& path) const;
  bool has(const json::Path& path) const { return document_.has_member(path); }
  bool has(const std::string& path) const { return has(json::Path::constant(path)); }

  /// The place of the array's element of which `member` is `value`: `commits.2`; empty if none of
  /// the first `elements_max` is.
  std::string element_with(const std::string& array, std::string_view member,
                           std::string_view value) const;

 private:
  static constexpr size_t elements_max = 100;

  json::Document& document_;
};

/// 422: the body is not what the event's name says.
/// @param member  what is missing in it.
http::Problem not_of_event(std::string_view event, std::string_view member);

/// 422: header and body disagree about what happened.
http::Problem disagreement(std::string_view header, std::string_view event, std::string_view member,
                           std::string_view value);

// What a call says, by host. Each appends the facts of each event that the call makes: most make
// one, Bitbucket's pushes one for each branch and tag. None: nothing changed.
// @param event  the host's name for it, as its header has it.
// @returns what is wrong with the body, if anything.

/// GitHub, Gitea, Forgejo and Gogs.
std::optional<http::Problem> read_github(std::string_view event, const Payload& payload,
                                         std::vector<Facts>& out);
std::optional<http::Problem> read_gitlab(std::string_view event, const Payload& payload,
                                         std::vector<Facts>& out);
std::optional<http::Problem> read_bitbucket(std::string_view event, const Payload& payload,
                                            std::vector<Facts>& out);
std::optional<http::Problem> read_bitbucket_server(std::string_view event, const Payload& payload,
                                                   std::vector<Facts>& out);

/// A push of more branches and tags than this is one event, which names none of them: each event
/// holds the whole body.
inline constexpr size_t changes_max = 20;

/// Bitbucket's pushes: appends the facts of each element of the array `changes`.
/// @param common  what all of them have. @param read_change  reads the one at `place`.
std::optional<http::Problem> read_changes(
    std::string_view event, const Payload& payload, const std::string& changes, const Facts& common,
    void (*read_change)(const Payload& payload, const std::string& place, Facts& facts),
    std::vector<Facts>& out);

}  // namespace ringpost::incoming
