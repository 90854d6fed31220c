#include "control/api/rights.h"

#include "api/json_body.h"
#include "subscription/patterns.h"

#include <utility>

namespace ringpost::control {

namespace dom = simdjson::dom;

using api::invalid;
using api::Problem;

std::optional<Problem> read_organization(dom::element value,
                                         std::optional<std::string>& organization) {
  std::string text;
  if (auto problem = api::read(value, "organization", subscription::organization_bytes_max, text)) {
    return problem;
  }
  const auto objection = subscription::object_to_organization(text);
  if (!objection.empty()) return invalid("organization", objection);
  organization = std::move(text);
  return std::nullopt;
}

std::optional<Problem> read_scopes(dom::element value, uint8_t& scopes) {
  dom::array entries;
  const size_t most = subscription::all_scopes.size();
  if (auto problem = api::read_array(value, "scopes", most, entries)) return problem;
  scopes = 0;
  for (const dom::element entry : entries) {
    std::string_view text;
    const bool is_text = entry.get(text) == simdjson::SUCCESS;
    const auto scope = is_text ? subscription::parse_scope(text) : std::nullopt;
    if (!scope) {
      return invalid("scopes",
                     "must hold some of events:write, webhooks:read, webhooks:write, "
                     "deliveries:read, deliveries:redeliver, metrics:read and admin");
    }
    scopes = static_cast<uint8_t>(scopes | static_cast<int>(*scope));
  }
  return std::nullopt;
}

std::optional<Problem> read_sources(dom::element value, std::vector<std::string>& sources) {
  dom::array entries;
  if (auto problem = api::read_array(value, "sources", rights_sources_max, entries)) return problem;
  if (entries.size() == 0) {  // What the store holds for: all.
    return invalid("sources", "must have at least one entry; [\"*\"] is every source");
  }
  sources.clear();
  for (const dom::element entry : entries) {
    const std::string member = "sources[" + std::to_string(sources.size()) + "]";
    std::string pattern;
    if (auto problem = api::read(entry, member, subscription::source_bytes_max, pattern)) {
      return problem;
    }
    const auto objection = subscription::object_to_source_pattern(pattern);
    if (!objection.empty()) return invalid(member, objection);
    sources.push_back(std::move(pattern));
  }
  return std::nullopt;
}

void write_rights(JsonWriter& json, std::string_view organization, uint8_t scopes,
                  const std::vector<std::string>& sources) {
  json.member("organization", organization).key("scopes").begin_array();
  for (const subscription::Scope scope : subscription::all_scopes) {
    if ((scopes & static_cast<uint8_t>(scope)) != 0) json.value(subscription::name(scope));
  }
  json.end_array().key("sources").begin_array();
  if (sources.empty()) json.value("*");
  for (const std::string& source : sources) json.value(source);
  json.end_array();
}

std::variant<std::string, Problem> organization_of(const api::Call& call,
                                                   const std::optional<std::string>& named) {
  if (!named || *named == call.organization) return call.organization;
  if (call.token->is_operator()) return *named;
  return api::refusal(404, "this token may not act for another organization", "organization");
}

bool may_manage(const api::Call& call, std::string_view organization,
                const std::vector<std::string>& sources) {
  return (organization == call.organization || call.token->is_operator()) &&
         call.token->covers(sources);
}

std::optional<Problem> refuse_to_give(const api::Call& call, uint8_t scopes,
                                      const std::vector<std::string>& sources) {
  if (!call.token->may_give(scopes)) {
    return api::refusal_of_member(403, "scopes", "holds a scope that your own token does not have");
  }
  if (!call.token->covers(sources)) {
    return api::refusal_of_member(403, "sources", "goes beyond the sources of your own token");
  }
  return std::nullopt;
}

}  // namespace ringpost::control
