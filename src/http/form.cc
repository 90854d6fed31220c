#include "http/form.h"

#include "http/authorization.h"
#include "http/query.h"
#include "http/syntax.h"

#include <algorithm>

namespace ringpost::http {

bool is_form(const Request& request) {
  const std::string_view type = only_header(request, "Content-Type");
  return equal_ignoring_case(trim(type.substr(0, type.find(';'))),
                             "application/x-www-form-urlencoded");
}

std::optional<std::string> form_field(std::string_view form, std::string_view name) {
  std::optional<std::string_view> found;
  while (!form.empty()) {
    const std::string_view field = form.substr(0, form.find('&'));
    form.remove_prefix(std::min(field.size() + 1, form.size()));
    const size_t equals = std::min(field.find('='), field.size());
    if (field.substr(0, equals) != name) continue;
    if (found) return std::nullopt;
    found = field.substr(std::min(equals + 1, field.size()));
  }
  return found ? percent_decode(*found, true) : std::nullopt;
}

}  // namespace ringpost::http
