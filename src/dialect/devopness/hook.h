#pragma once

#include "api/problem.h"
#include "base/ulid.h"
#include "dialect/devopness/names.h"
#include "dialect/devopness/variables.h"
#include "subscription/webhook.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ringpost::dialect::devopness {

/// Numbers that every JSON reader keeps.
inline constexpr int64_t id_max = (int64_t{1} << 53) - 1;

/// Who made a hook: a token, in the place of Devopness' user.
struct Maker {
  static constexpr size_t name_characters_max = 255;

  Ulid id;
  std::string name;

  friend bool operator==(const Maker&, const Maker&) = default;
};

/// What a hook is beyond what every webhook is. Webhook::settings holds it as JSON.
struct Hook {
  bool incoming = false;
  /// Of an incoming hook: whether it takes calls. Its webhook is never active, so that nothing is
  /// ever sent; an outgoing hook is active as its webhook is.
  bool takes_calls = true;
  std::string target_url;   ///< A template; empty for an incoming hook.
  std::string action_type;  ///< Empty: the pipeline's operation.
  std::optional<int64_t> pipeline_id;
  std::string resource_type;  ///< Empty: not known here.
  int64_t resource_id = 0;    ///< 0: not known here; the two below likewise.
  int64_t project_id = 0;
  int64_t environment_id = 0;
  bool requires_secret = false;
  std::string secret_algorithm;
  std::string secret_header_name;
  std::vector<std::pair<std::string, std::string>> request_headers;  ///< Values are templates.
  std::string request_body;                                          ///< JSON; empty: none.
  std::vector<Variable> variables;
  EventSet events = 0;
  std::string conditions;        ///< A JSON array; empty: none.
  std::optional<Maker> made_by;  ///< Nothing: not known here.

  friend bool operator==(const Hook&, const Hook&) = default;
};

/// Where a JSON text keeps the members of a hook.
enum class Layout : uint8_t {
  api,   ///< As the Devopness API does: some are in `settings`.
  flat,  ///< As Webhook::settings and the native API's `settings` do: side by side.
};

/// The hook of a webhook. Where somebody gave the webhook another URL over the native API, that URL
/// is the target; where its one source is a pipeline's or a resource's, the hook is that one's if
/// its templates allow it.
Hook hook_of(const subscription::Webhook& webhook);

/// Whether the stored webhook is an incoming hook's. Cheaper than hook_of.
bool is_incoming(const subscription::Webhook& webhook);

/// Checks the hook as a whole, and brings the webhook in line with it: settings, sources,
/// destination, state. @returns what is wrong; `webhook` is half changed then.
std::optional<api::Problem> apply(const Hook& hook, Layout layout, subscription::Webhook& webhook);

/// The sources that the settings alone would give the webhook; `*` if they name none.
std::vector<std::string> own_sources(const subscription::Webhook& webhook);

}  // namespace ringpost::dialect::devopness
