#include "http/authorization.h"

#include "http/syntax.h"

namespace ringpost::http {

std::string_view only_header(const Request& request, std::string_view name) {
  std::string_view value;
  size_t count = 0;
  for (const Header& header : request.headers) {
    if (!equal_ignoring_case(header.name, name)) continue;
    value = header.value;
    ++count;
  }
  return count == 1 ? value : std::string_view{};
}

namespace {

std::string_view bare_token(std::string_view text) {
  const bool one_word = text.find_first_of(" \t") == std::string_view::npos;
  return one_word && text.size() <= token_bytes_max ? text : std::string_view{};
}

}  // namespace

std::string_view presented_token(const Request& request, TokenForm form,
                                 std::string_view other_header) {
  if (!other_header.empty() && !request.has_header("authorization")) {
    return bare_token(trim(only_header(request, other_header)));
  }
  // RFC 9110, 11.1: the scheme is read without regard to case.
  constexpr std::string_view scheme = "bearer ";
  std::string_view text = trim(only_header(request, "authorization"));
  if (equal_ignoring_case(text.substr(0, scheme.size()), scheme)) {
    if (form == TokenForm::bare) return {};
    text = trim(text.substr(scheme.size()));
  } else if (form == TokenForm::bearer) {
    return {};
  }
  return bare_token(text);
}

}  // namespace ringpost::http
