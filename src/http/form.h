#pragma once

#include "http/message.h"

#include <optional>
#include <string>
#include <string_view>

namespace ringpost::http {

/// Whether a request's body is a form (application/x-www-form-urlencoded).
bool is_form(const Request& request);

/// The field of this name in a form, decoded (WHATWG URL, 5.1). Nothing if there is none, if it is
/// there twice, since it could be read in two ways, or if its encoding is broken.
/// @param name  of characters that no form encodes: letters, digits, `_` and `-`.
std::optional<std::string> form_field(std::string_view form, std::string_view name);

}  // namespace ringpost::http
