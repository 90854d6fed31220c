#pragma once

#include "base/bytes.h"

#include <string>
#include <string_view>

namespace ringpost::dialect::buildkite {

/// What an event's data has of the two members that each body has (specification 3.3).
struct BodyMembers {
  bool is_object = false;  ///< Else nothing can be added, and it is no body.
  bool event = false;
  bool sender = false;
};

/// Looks for `event` and `sender` at the top of a JSON text. A name that is spelled with escapes is
/// another name. Linear, and much faster than parsing where neither name occurs, or `event` is
/// first and `sender` last, as Buildkite has them.
BodyMembers find_body_members(std::string_view json);

/// Appends the object `data` with what it lacks: `"event":…` in front, `"sender":…` at the end.
/// Every other byte stays. @param sender  a member, name and value; @param event  likewise.
void append_body(std::string& out, std::string_view data, const BodyMembers& members,
                 std::string_view event, std::string_view sender);

}  // namespace ringpost::dialect::buildkite
