#include "control/api/authenticate.h"

#include "base/bytes.h"
#include "control/problem.h"
#include "crypto/digest.h"

#include <string>
#include <string_view>

namespace ringpost::control {

using Reason = AuthenticationFailure::Reason;
using subscription::Token;

std::variant<const Token*, AuthenticationFailure> Authenticator::authenticate(
    const Question& question) {
  const std::string_view text = http::presented_token(question.request, question.form);
  const Token* token =
      text.empty() ? nullptr : table_.current().token(crypto::sha256(as_bytes(text)));
  if (token != nullptr && !token->expired(question.wall_now)) {
    if (token->allows(question.scope)) return token;
    return AuthenticationFailure{Reason::scope};
  }
  if (!question.request.has_header("authorization")) return AuthenticationFailure{};
  counters_.add(Counter::tokens_refused);
  const uint32_t wait_s = throttle_.on_failure(question.peer, question.now);
  if (wait_s == 0) return AuthenticationFailure{Reason::refused};
  counters_.add(Counter::tokens_throttled);
  return AuthenticationFailure{Reason::throttled, wait_s};
}

http::Response authentication_response(const AuthenticationFailure& failure) {
  constexpr std::string_view unauthenticated =
      "send the header Authorization: Bearer <token> with a token that is in force";
  const auto challenge = [](const Problem& problem, std::string_view error) {
    http::Response response = http::problem_response(problem);
    std::string value = "Bearer realm=\"ringpost\"";
    if (!error.empty()) value.append(", error=\"").append(error).append("\"");
    response.headers.push_back({"WWW-Authenticate", std::move(value)});
    return response;
  };
  switch (failure.reason) {
    case Reason::missing: return challenge(refusal(401, unauthenticated), "");
    case Reason::refused: return challenge(refusal(401, unauthenticated), "invalid_token");
    case Reason::scope:
      return challenge(refusal(403, "the token does not have the scope that this needs"),
                       "insufficient_scope");
    case Reason::throttled: break;
  }
  Problem problem =
      refusal(429, "too many wrong tokens came from this address; a good one is taken at any time");
  problem.type = "urn:ringpost:too-many-failures";
  problem.retry_after_s = failure.retry_after_s;
  return http::problem_response(problem);
}

}  // namespace ringpost::control
