#include "base/json_writer.h"
#include "control/api/api.h"
#include "http/problem.h"

#include <algorithm>

namespace ringpost::control {
namespace {

/// The configuration has no id; there is one.
constexpr const char* object_name = "configuration";

std::string count_of(size_t problems) {
  return problems == 1 ? "a problem" : std::to_string(problems) + " problems";
}

Answer refused(const std::vector<ConfigProblem>& problems) {
  Problem problem = refusal(422, "the new configuration has " + count_of(problems.size()) +
                                     "; the previous configuration remains in effect");
  problem.type = "urn:ringpost:configuration-refused";
  const size_t told = std::min(problems.size(), Reloads::problems_told_max);
  return {http::problem_response(problem, [&](JsonWriter& json) {
    json.key("errors").begin_array();
    for (size_t index = 0; index < told; ++index) problems[index].write(json);
    json.end_array();
  })};
}

}  // namespace

Answer reload_configuration(const Call& call, Reloads& reloads) {
  if (auto problem = refuse_members(call)) return refuse(*problem);
  ReloadOutcome outcome = reloads.run(call.now);
  if (!outcome.problems.empty()) return refused(outcome.problems);
  std::string body;
  JsonWriter json(body);
  json.begin_object().member("applied_at", to_rfc3339(call.now));
  json.key("needs_restart").begin_array();
  for (const std::string& key : outcome.needs_restart) json.value(key);
  json.end_array().end_object();
  Answer answer = answer_json(200, std::move(body), Answer::When::reloaded);
  answer.change = Change{.operation = "configuration.reload",
                         .object = object_name,
                         .members = std::move(outcome.changed),
                         .organization = {}};
  return answer;
}

Answer show_configuration(const std::vector<ConfigValue>& values,
                          const std::optional<LastReload>& last) {
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("items").begin_array();
  for (const ConfigValue& each : values) {
    const bool waiting =
        last && std::ranges::find(last->needs_restart, each.key) != last->needs_restart.end();
    json.begin_object().member("key", each.key).member("value", each.value);
    json.member("given", each.given).member("reloadable", each.takes_reload);
    json.member("waiting", waiting).end_object();
  }
  json.end_array().end_object();
  return answer_json(200, std::move(body));
}

}  // namespace ringpost::control
