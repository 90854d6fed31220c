#pragma once

#include "api/call.h"
#include "api/problem.h"
#include "base/json_writer.h"

#include <simdjson.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// What tokens and users may do, as the native API reads, shows and hands it on.

namespace ringpost::control {

inline constexpr size_t rights_sources_max = 256;

std::optional<api::Problem> read_organization(simdjson::dom::element value,
                                              std::optional<std::string>& organization);
// These two replace what was there before.
std::optional<api::Problem> read_scopes(simdjson::dom::element value, uint8_t& scopes);
std::optional<api::Problem> read_sources(simdjson::dom::element value,
                                         std::vector<std::string>& sources);

/// Writes the members `organization`, `scopes` and `sources`.
void write_rights(JsonWriter& json, std::string_view organization, uint8_t scopes,
                  const std::vector<std::string>& sources);

/// The organization that a request is about: the caller's, or what it names if it may.
std::variant<std::string, api::Problem> organization_of(const api::Call& call,
                                                        const std::optional<std::string>& named);

/// Whether the caller manages what has these rights; otherwise it is not there for them.
bool may_manage(const api::Call& call, std::string_view organization,
                const std::vector<std::string>& sources);

/// Nobody gives what they do not have. @returns what goes beyond the caller's own rights.
std::optional<api::Problem> refuse_to_give(const api::Call& call, uint8_t scopes,
                                           const std::vector<std::string>& sources);

}  // namespace ringpost::control
