#include "control/api/authenticate.h"

#include "api/problem.h"
#include "base/bytes.h"
#include "crypto/digest.h"
#include "http/syntax.h"

#include <string>
#include <string_view>

namespace ringpost::control {

using api::refusal;
namespace {

http::Response refuse(uint16_t status, std::string_view detail, std::string_view error) {
  http::Response response = http::problem_response(refusal(status, detail));
  std::string challenge = "Bearer realm=\"ringpost\"";
  if (!error.empty()) challenge.append(", error=\"").append(error).append("\"");
  response.headers.push_back({"WWW-Authenticate", challenge});
  return response;
}

/// The token's text; empty if the header is missing, there twice, or of another scheme.
std::string_view bearer(const http::Request& request) {
  std::string_view value;
  size_t count = 0;
  for (const http::Header& header : request.headers) {
    if (!http::equal_ignoring_case(header.name, "authorization")) continue;
    value = header.value;
    ++count;
  }
  constexpr std::string_view scheme = "bearer ";
  if (count != 1 || value.size() <= scheme.size()) return {};
  if (!http::equal_ignoring_case(value.substr(0, scheme.size()), scheme)) return {};
  return http::trim(value.substr(scheme.size()));
}

}  // namespace

std::variant<const subscription::Token*, http::Response> authenticate(
    const http::Request& request, const subscription::Snapshot& snapshot,
    subscription::Scope scope) {
  const std::string_view text = bearer(request);
  if (text.empty()) {
    return refuse(401, "send the header Authorization: Bearer <token>", "");
  }
  const subscription::Token* token = snapshot.token(crypto::sha256(as_bytes(text)));
  if (token == nullptr) return refuse(401, "the token is not known here", "invalid_token");
  if (!token->allows(scope)) {
    return refuse(403, "the token does not have the scope that this needs", "insufficient_scope");
  }
  return token;
}

}  // namespace ringpost::control
