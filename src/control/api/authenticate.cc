#include "control/api/authenticate.h"

#include "api/problem.h"
#include "base/bytes.h"
#include "crypto/digest.h"

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

}  // namespace

std::variant<const subscription::Token*, http::Response> authenticate(
    const http::Request& request, const subscription::Snapshot& snapshot, subscription::Scope scope,
    const TokenPlaces& places) {
  const std::string_view text = http::presented_token(request, places.form, places.other_header);
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
