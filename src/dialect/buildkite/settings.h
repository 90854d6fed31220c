#pragma once

#include "api/problem.h"
#include "base/ulid.h"
#include "subscription/token.h"
#include "subscription/webhook.h"

#include <simdjson.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost {
class JsonWriter;
}

namespace ringpost::dialect::buildkite {

/// Which pipelines count.
enum class Scope : uint8_t { all, some_projects, some_teams, some_clusters };
/// Whether the token is sent as it is, or signs.
enum class TokenMode : uint8_t { token, signature };

std::string_view name(Scope scope);
std::string_view name(TokenMode mode);

/// Stored and shown; they have no part in matching (specification 2.1).
inline constexpr std::array<std::string_view, 7> build_state_names{
    "build_passed",   "build_fixed",   "build_failed", "build_blocked",
    "build_canceled", "build_failing", "job_activated"};

inline constexpr size_t scope_ids_max = 255;  ///< With `*` they still fit Webhook::sources.
inline constexpr size_t sender_name_bytes_max = 256;

/// Who created a webhook: a token, in the place of Buildkite's user.
struct Creator {
  Ulid id;
  std::string name;
  WallTime created_at{};
};

/// What a webhook of this dialect has beyond every webhook: the content of Webhook::settings.
struct Settings {
  Scope scope = Scope::all;
  std::vector<Ulid> scope_ids;  ///< UUIDs of pipelines, teams or clusters, as the scope says.
  TokenMode token_mode = TokenMode::token;
  std::array<bool, build_state_names.size()> build_states{};
  std::optional<Creator> creator;  ///< Nothing: made over an API without users.
  /// Whether somebody has said so, where a text is empty: then it is shown as "", else as null.
  bool empty_description = false;
  bool empty_branches = false;
};

Creator creator_of(const subscription::Token& token);

/// The settings of a stored webhook; nothing if they cannot be read.
std::optional<Settings> settings_of(const subscription::Webhook& webhook);

/// Writes settings as an object: the form in which they are stored, and the native API shows them.
void write_settings(JsonWriter& json, const Settings& settings);
std::string to_text(const Settings& settings);

/// Changes what the object names; members that it does not name stay.
std::optional<api::Problem> read_settings(simdjson::dom::object object, Settings& settings);

// Single members, also for other places of other names. `member` names them in a problem.

std::optional<api::Problem> read_scope(simdjson::dom::element value, std::string_view member,
                                       Settings& settings);
std::optional<api::Problem> read_scope_ids(simdjson::dom::element value, std::string_view member,
                                           Settings& settings);
std::optional<api::Problem> read_token_mode(simdjson::dom::element value, std::string_view member,
                                            Settings& settings);
std::optional<api::Problem> read_build_states(simdjson::dom::element value, std::string_view member,
                                              Settings& settings);
/// Whether scope and ids fit each other.
std::optional<api::Problem> check_scope(const Settings& settings, std::string_view member);

/// Takes sources that the native API has set over into the scope, if they name pipelines by their
/// UUIDs and nothing else: the webhook is then as Buildkite's API would have made it. Other sources
/// apply beside a scope of all, and one of pipelines that was there goes.
/// @param by  who asks: events of agents, which come from any source, are left out where this token
///            may not touch all sources.
void take_sources(const subscription::Token& by, Settings& settings,
                  subscription::Webhook& webhook);

/// The webhook's scope as Buildkite's API shows it: a filter of teams or of clusters that the
/// native API has set is a scope of these, where they are UUIDs. Its ids, if there is one to show
/// so.
struct FilterScope {
  Scope scope{};
  std::vector<Ulid> ids;
};
std::optional<FilterScope> filter_scope_of(const subscription::Webhook& webhook,
                                           const Settings& settings);

/// The sources that the scope asks for. A rule decides on the rest (rule.h).
/// @param events  as Webhook::events: what is no pipeline's event comes from any source.
std::vector<std::string> sources_of(const Settings& settings,
                                    const std::vector<std::string>& events);

}  // namespace ringpost::dialect::buildkite
