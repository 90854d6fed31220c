#include "control/login.h"

#include "base/bytes.h"
#include "control/api/tokens.h"
#include "http/syntax.h"
#include "net/failure_throttle.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace ringpost::control {

using subscription::Token;

namespace {

constexpr KeyedLimiter::Options failures{
    .burst = Login::failures_per_minute,
    .interval = Duration{std::chrono::minutes(1)} / Login::failures_per_minute};
constexpr KeyedLimiter::Options user_failures{
    .burst = Login::user_failures_per_minute,
    .interval = Duration{std::chrono::minutes(1)} / Login::user_failures_per_minute};
constexpr KeyedLimiter::Options verifications{
    .burst = Login::verifications_per_second,
    .interval = Duration{std::chrono::seconds(1)} / Login::verifications_per_second};

/// Of verifications: for who comes from where they have been before, and for everybody else.
uint64_t verification_key(bool known) {
  return known ? 1 : 0;
}

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
      failures_by_user_(user_failures),
      failures_by_source_(failures),
      failures_by_user_at_source_(failures),
      verifications_(verifications) {}

std::variant<Login::Granted, Login::Refused, Login::Throttled, Error> Login::attempt(
    const Attempt& attempt) {
  const Keys keys = keys_of(attempt);
  const bool known = knows(keys);
  const Duration left = wait(keys, known, attempt.now);
  if (left > Duration{}) {
    return Throttled{static_cast<uint32_t>(std::chrono::ceil<std::chrono::seconds>(left).count())};
  }
  if (users_.empty()) return Refused{};  // Nobody can be found out.
  verifications_.take(verification_key(known), attempt.now);
  if (const LoginUser* user = check(attempt)) {
    remember(keys);
    return grant(*user, attempt);
  }
  count_failure(keys, attempt.now);
  return Refused{};
}

/// Unknown users have keys like others, or the throttle would tell who is known.
Login::Keys Login::keys_of(const Attempt& attempt) const {
  Keys keys{.user = siphash(key_, as_bytes(lower(attempt.email))),
            .source = net::source_key(attempt.peer, key_)};
  const std::array<uint64_t, 2> both{keys.user, keys.source.value_or(0)};
  keys.user_at_source = siphash(key_, std::as_bytes(std::span{both}));
  return keys;
}

Duration Login::wait(const Keys& keys, bool known, Instant now) const {
  Duration wait = failures_by_user_at_source_.wait(keys.user_at_source, now);
  bool failed = !failures_by_user_at_source_.idle(keys.user_at_source, now);
  if (keys.source) {
    wait = std::max(wait, failures_by_source_.wait(*keys.source, now));
    failed = failed || !failures_by_source_.idle(*keys.source, now);
  }
  if (failed && !known) wait = std::max(wait, failures_by_user_.wait(keys.user, now));
  return wait > Duration{} ? wait : verifications_.wait(verification_key(known), now);
}

void Login::count_failure(const Keys& keys, Instant now) {
  failures_by_user_at_source_.take(keys.user_at_source, now);
  if (keys.source) failures_by_source_.take(*keys.source, now);
  // A stranger with many addresses goes on failing past the limit: that must not make it longer.
  if (failures_by_user_.wait(keys.user, now) == Duration{}) failures_by_user_.take(keys.user, now);
}

bool Login::knows(const Keys& keys) const {
  const auto found = known_sources_.find(keys.user);
  return found != known_sources_.end() &&
         std::ranges::find(found->second, keys.user_at_source) != found->second.end();
}

void Login::remember(const Keys& keys) {
  std::vector<uint64_t>& sources = known_sources_[keys.user];
  std::erase(sources, keys.user_at_source);
  if (sources.size() == known_sources_max) sources.erase(sources.begin());
  sources.push_back(keys.user_at_source);
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
