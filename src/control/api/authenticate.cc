#include "control/api/authenticate.h"

#include "api/problem.h"
#include "base/bytes.h"
#include "crypto/digest.h"

#include <string>
#include <string_view>

namespace ringpost::control {

using api::refusal;

using Reason = AuthenticationFailure::Reason;
using subscription::Token;

std::variant<const Token*, AuthenticationFailure> Authenticator::authenticate(
    const Question& question) {
  const std::string_view text =
      http::presented_token(question.request, question.form, question.other_header);
  const Token* token =
      text.empty() ? nullptr : table_.current().token(crypto::sha256(as_bytes(text)));
  if (token != nullptr && !token->expired(question.wall_now)) {
    if (question.scope == subscription::Scope{} || token->allows(question.scope)) return token;
    return AuthenticationFailure{Reason::scope, 0, question.scope};
  }
  if (text.empty() && !question.request.has_header("authorization")) {
    return AuthenticationFailure{.form = question.form};
  }
  AuthenticationFailure failure = refuse(question.peer, question.now);
  if (failure.reason == Reason::throttled) return failure;
  if (text.empty()) failure.reason = Reason::unreadable;
  failure.form = question.form;
  return failure;
}

AuthenticationFailure Authenticator::refuse(const io::Address& peer, Instant now) {
  counters_.add(Counter::tokens_refused);
  const uint32_t wait_s = throttle_.on_failure(peer, now);
  if (wait_s == 0) return {.reason = Reason::refused};
  counters_.add(Counter::tokens_throttled);
  return {.reason = Reason::throttled, .retry_after_s = wait_s};
}

api::Problem authentication_problem(const AuthenticationFailure& failure) {
  const bool bare = failure.form != http::TokenForm::bearer;
  const std::string form = bare ? "<token>" : "Bearer <token>";
  switch (failure.reason) {
    case Reason::missing:
      return refusal(401, "no token was sent: send the header Authorization: " + form);
    case Reason::unreadable:
      return refusal(
          401,
          "no token can be read from the header Authorization: send it once, in the form " + form);
    case Reason::refused:
      return refusal(
          401, "this token is not known here, or it has expired or was deleted: send a valid one");
    case Reason::scope:
      return refusal(403, "the token lacks the scope `" + std::string(name(failure.needed)) + "`");
    case Reason::throttled: break;
  }
  api::Problem problem = refusal(
      429, "too many invalid tokens came from this address; a valid token is still accepted");
  problem.type = "urn:ringpost:too-many-failures";
  problem.retry_after_s = failure.retry_after_s;
  return problem;
}

http::Response authentication_response(const AuthenticationFailure& failure) {
  http::Response response = http::problem_response(authentication_problem(failure));
  std::string challenge = "Bearer realm=\"ringpost\"";
  switch (failure.reason) {
    case Reason::throttled: return response;
    case Reason::missing: break;
    case Reason::unreadable:
    case Reason::refused: challenge += ", error=\"invalid_token\""; break;
    case Reason::scope: challenge += ", error=\"insufficient_scope\""; break;
  }
  response.headers.push_back({"WWW-Authenticate", std::move(challenge)});
  return response;
}

}  // namespace ringpost::control
