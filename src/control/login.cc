#include "control/login.h"

#include "base/bytes.h"
#include "control/api/tokens.h"
#include "http/syntax.h"
#include "net/failure_throttle.h"

#include <algorithm>
#include <utility>

namespace ringpost::control {

using subscription::Token;

namespace {

constexpr KeyedLimiter::Options failures{
    .burst = Login::failures_per_minute,
    .interval = Duration{std::chrono::minutes(1)} / Login::failures_per_minute};
constexpr KeyedLimiter::Options verifications{
    .burst = Login::verifications_per_second,
    .interval = Duration{std::chrono::seconds(1)} / Login::verifications_per_second};

constexpr uint64_t only_key = 0;  // All verifications are of one kind.

std::string lower(std::string_view text) {
  std::string out{text};
  std::ranges::transform(out, out.begin(), http::to_lower);
  return out;
}

}  // namespace

Login::Login(const Parts& parts, std::vector<LoginUser> users, Verify verify)
    : parts_(parts),
      users_(std::move(users)),
      verify_(std::move(verify)),
      key_{parts.random.next(), parts.random.next()},
      failures_by_user_(failures),
      failures_by_source_(failures),
      verifications_(verifications) {}

std::variant<Login::Granted, Login::Refused, Login::Throttled, Error> Login::attempt(
    const Attempt& attempt) {
  // Unknown users are counted like others, or the throttle would tell who is known.
  const uint64_t user_key = siphash(key_, as_bytes(lower(attempt.email)));
  const auto source_key = net::source_key(attempt.peer, key_);
  Duration wait = failures_by_user_.wait(user_key, attempt.now);
  if (source_key) wait = std::max(wait, failures_by_source_.wait(*source_key, attempt.now));
  if (wait == Duration{}) wait = verifications_.wait(only_key, attempt.now);
  if (wait > Duration{}) {
    return Throttled{static_cast<uint32_t>(std::chrono::ceil<std::chrono::seconds>(wait).count())};
  }
  if (users_.empty()) return Refused{};  // Nobody can be found out.
  verifications_.take(only_key, attempt.now);
  if (const LoginUser* user = check(attempt)) return grant(*user, attempt);
  failures_by_user_.take(user_key, attempt.now);
  if (source_key) failures_by_source_.take(*source_key, attempt.now);
  return Refused{};
}

/// @returns the user, if the password is theirs; after one verification in any case.
const LoginUser* Login::check(const Attempt& attempt) {
  const auto found = std::ranges::find_if(users_, [&](const LoginUser& user) {
    return http::equal_ignoring_case(user.email, attempt.email);
  });
  const bool known = found != users_.end();
  // For one unknown email always the same hash, so that its time does not vary either.
  const size_t stranger = siphash(key_, as_bytes(lower(attempt.email))) % users_.size();
  const bool too_long = attempt.password.size() > password_bytes_max;
  const bool right = verify_(attempt.password.substr(0, password_bytes_max),
                             known ? found->scrypt_text : users_[stranger].scrypt_text);
  return known && right && !too_long ? &*found : nullptr;
}

std::variant<Login::Granted, Login::Refused, Login::Throttled, Error> Login::grant(
    const LoginUser& user, const Attempt& attempt) {
  MintedToken minted = mint_token(attempt.wall_now, parts_.random);
  Token& token = minted.token;
  token.name = std::string{login_token_prefix} + user.email;
  token.organization = user.organization;
  token.scopes = user.scopes;
  token.expires_at = attempt.wall_now + token_life;
  const std::string name = token.name;
  const auto created = parts_.tokens.create(std::move(token));
  if (!created) return created.error();
  const Token by = **created;
  record(by, "token.create", by, attempt);
  if (auto room = make_room(user, name, by, attempt); !room) return room.error();
  return Granted{std::move(minted.text), *by.expires_at};
}

/// Removes the user's oldest tokens, so that no more than `tokens_per_user_max` stay. Never the new
/// one, whatever the wall clock did meanwhile.
Result<void> Login::make_room(const LoginUser& user, const std::string& name, const Token& by,
                              const Attempt& attempt) {
  auto own = parts_.tokens.list(
      user.organization, {}, tokens_per_organization_max,
      [&](const Token& token) { return token.name == name && token.id != by.id; });
  for (; own.size() >= tokens_per_user_max; own.pop_back()) {
    const Token oldest = *own.back();
    if (auto removed = parts_.tokens.remove(oldest.id); !removed) return removed;
    record(by, "token.delete", oldest, attempt);
  }
  return {};
}

void Login::record(const Token& by, std::string_view operation, const Token& object,
                   const Attempt& attempt) {
  parts_.audit.record({.by = by,
                       .peer = attempt.peer,
                       .at = attempt.wall_now,
                       .status = attempt.status,
                       .change = {.operation = operation,
                                  .object = object.id.to_text(),
                                  .members = {},
                                  .organization = object.organization}});
}

}  // namespace ringpost::control
