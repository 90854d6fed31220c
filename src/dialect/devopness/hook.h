#pragma once

#include "api/problem.h"
#include "dialect/devopness/conditions.h"
#include "dialect/devopness/names.h"
#include "dialect/devopness/template.h"
#include "dialect/devopness/variables.h"
#include "subscription/webhook.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace ringpost::dialect::devopness {

inline constexpr size_t hook_name_characters_max = 60;
inline constexpr size_t header_name_bytes_max = 256;
inline constexpr size_t header_value_characters_max = 4096;
inline constexpr size_t secret_header_name_bytes_max = 64;

/// Characters of a text in UTF-8.
size_t count_characters(std::string_view text);

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
  std::string conditions;  ///< A JSON array; empty: none.
};

/// Where a JSON text keeps the members of a hook.
enum class Layout : uint8_t {
  api,   ///< As the Devopness API does: some stand in `settings`.
  flat,  ///< As Webhook::settings and the native API's `settings` do: side by side.
};

/// Takes over what the JSON object `json` says of a hook: a member that is absent keeps its value,
/// null brings the default back, also inside `settings`; `trigger_when` is taken as a whole.
/// Members that are none of a hook's are not looked at. `hook.incoming` is the caller's.
/// @returns the first member that breaks a rule; `hook` is half changed then.
std::optional<api::Problem> read_hook(std::string_view json, Layout layout, Hook& hook);

/// The hook of a webhook. Where somebody gave the webhook another URL over the native API, that URL
/// is the target; where its one source is a pipeline's or a resource's, the hook is that one's if
/// its templates allow it.
Hook hook_of(const subscription::Webhook& webhook);

/// Whether the stored webhook is an incoming hook's. Cheaper than hook_of.
bool is_incoming(const subscription::Webhook& webhook);

/// A hook's templates and conditions, compiled.
struct CompiledHook {
  std::optional<Template> target_url;  ///< There for an outgoing hook.
  std::vector<std::pair<std::string, Template>> headers;
  std::optional<Template> body;
  Conditions conditions;
};
/// @param layout  how a Problem names members.
std::variant<CompiledHook, api::Problem> compile(const Hook& hook, Layout layout);

/// Checks the hook as a whole, and brings the webhook in line with it: settings, sources,
/// destination, state. @returns what is wrong; `webhook` is half changed then.
std::optional<api::Problem> apply(const Hook& hook, Layout layout, subscription::Webhook& webhook);

/// What the events of the hook's pipeline or resource are called by: `pipeline/33`,
/// `resource/application/44`. Empty if the hook names neither.
std::string source_of(const Hook& hook);

/// A pipeline or a resource.
struct Subject {
  std::optional<int64_t> pipeline_id{};
  std::string resource_type{};  ///< With its id, if there is no pipeline.
  int64_t resource_id = 0;
};
/// What a source is the name of, if `source_of` may have made it.
std::optional<Subject> subject_of(std::string_view source);

/// The sources that the settings alone would give the webhook; `*` if they name none.
std::vector<std::string> own_sources(const subscription::Webhook& webhook);

}  // namespace ringpost::dialect::devopness
