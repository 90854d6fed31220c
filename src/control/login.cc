#include "control/login.h"

#include "base/bytes.h"
#include "control/api/tokens.h"
#include "crypto/digest.h"
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

constexpr KeyedLimiter::Options refreshes{
    .burst = Login::refreshes_per_minute,
    .interval = Duration{std::chrono::minutes(1)} / Login::refreshes_per_minute};

uint32_t to_seconds(Duration wait) {
  return static_cast<uint32_t>(std::chrono::ceil<std::chrono::seconds>(wait).count());
}

std::string refresh_name(const LoginUser& user) {
  return std::string{login_token_prefix} + user.email + " (refresh)";
}

/// What a refresh token is stored under: its text is good for this password alone.
crypto::Digest refresh_hash(std::string_view text, const LoginUser& user) {
  return crypto::sha256(as_bytes(std::string{text} + '\n' + user.scrypt_text));
}

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
      verifications_(verifications),
      refreshes_(refreshes) {}

Login::Result Login::attempt(const Attempt& attempt) {
  const Keys keys = keys_of(attempt);
  const bool known = knows(keys);
  if (attempt.verdict != nullptr) {
    --verifying_;
  } else {
    if (verifying_ >= verifying_max) return Throttled{};
    const Duration left = wait(keys, known, attempt.now);
    if (left > Duration{}) return Throttled{to_seconds(left)};
    if (users_.empty()) return Refused{};  // Nobody can be found out.
    verifications_.take(verification_key(known), attempt.now);
  }
  const auto checked = check(attempt);
  if (const auto* refused = std::get_if<Refused>(&checked)) {
    if (refused->verifying) {
      ++verifying_;
    } else {
      count_failure(keys, attempt.now);
    }
    return *refused;
  }
  remember(keys);
  return grant(*std::get<const LoginUser*>(checked),
               {attempt.peer, attempt.wall_now, attempt.status});
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
std::variant<const LoginUser*, Login::Refused> Login::check(const Attempt& attempt) {
  const auto found = std::ranges::find_if(users_, [&](const LoginUser& user) {
    return http::equal_ignoring_case(user.email, attempt.email);
  });
  const bool known = found != users_.end() && attempt.password.size() <= password_bytes_max;
  if (attempt.verdict != nullptr) {  // The users may be others by now.
    const bool right = attempt.verdict->right && known;
    if (right && found->scrypt_text == attempt.verdict->text) return &*found;
    return Refused{};
  }
  // For one unknown email always the same hash, so that its time does not vary either.
  const size_t stranger = siphash(key_, as_bytes(lower(attempt.email))) % users_.size();
  const LoginUser& held_against = found != users_.end() ? *found : users_[stranger];
  const auto right =
      verify_(attempt.password.substr(0, password_bytes_max), held_against.scrypt_text);
  if (!right) return Refused{.verifying = true};
  if (*right && known) return &*found;
  return Refused{};
}

// --- refresh -------------------------------------------------------------------------------------

/// The user whose refresh token this is; `stored` is then what is kept of it.
const LoginUser* Login::user_of(std::string_view refresh_token, const Token*& stored) const {
  for (const LoginUser& user : users_) {
    stored = parts_.tokens.find_by_hash(refresh_hash(refresh_token, user));
    if (stored != nullptr && stored->name == refresh_name(user)) return &user;
  }
  return nullptr;
}

Login::Result Login::refresh(const Refresh& refresh) {
  const auto source = net::source_key(refresh.peer, key_);
  if (source) {
    const Duration left = failures_by_source_.wait(*source, refresh.now);
    if (left > Duration{}) return Throttled{to_seconds(left)};
  }
  const Token* stored = nullptr;
  const LoginUser* user = user_of(refresh.token, stored);
  if (user == nullptr || stored->expired(refresh.wall_now)) {
    if (source) failures_by_source_.take(*source, refresh.now);
    return Refused{};
  }
  const uint64_t key = siphash(key_, as_bytes(lower(user->email)));
  const Duration left = refreshes_.wait(key, refresh.now);
  if (left > Duration{}) return Throttled{to_seconds(left)};
  refreshes_.take(key, refresh.now);
  const Token used = *stored;
  if (auto removed = parts_.tokens.remove(used.id); !removed) return removed.error();
  const Caller caller{refresh.peer, refresh.wall_now, refresh.status};
  record(used, "token.delete", used, caller);
  return grant(*user, caller);
}

// --- granting ------------------------------------------------------------------------------------

Login::Result Login::grant(const LoginUser& user, const Caller& caller) {
  MintedToken minted = mint_token(caller.wall_now, parts_.random);
  Token& token = minted.token;
  token.name = std::string{login_token_prefix} + user.email;
  token.organization = user.organization;
  token.scopes = user.scopes;
  token.expires_at = caller.wall_now + token_life;
  const auto created = parts_.tokens.create(std::move(token));
  if (!created) return created.error();
  const Token by = **created;
  record(by, "token.create", by, caller);
  auto refresh = grant_refresh(user, by);
  if (!refresh) return refresh.error();
  if (auto room = make_room(user, by, caller); !room) return room.error();
  return Granted{std::move(minted.text), *by.expires_at, std::move(*refresh)};
}

/// @returns the text of a token that can be exchanged for the next pair.
ringpost::Result<std::string> Login::grant_refresh(const LoginUser& user, const Token& beside) {
  MintedToken minted = mint_token(beside.created_at, parts_.random);
  Token& token = minted.token;
  token.id = companion_of(beside.id);
  token.name = refresh_name(user);
  token.organization = user.organization;
  token.sha256 = refresh_hash(minted.text, user);
  token.expires_at = beside.created_at + refresh_life;
  const auto created = parts_.tokens.create(std::move(token));
  if (!created) return created.error();
  return std::move(minted.text);
}

/// Ends the user's oldest logins, so that no more than `logins_per_user_max` stay. Never the new
/// one, whatever the wall clock did meanwhile.
ringpost::Result<void> Login::make_room(const LoginUser& user, const Token& by,
                                        const Caller& caller) {
  const std::string name = refresh_name(user);
  auto own = parts_.tokens.list(
      user.organization, {}, tokens_per_organization_max,
      [&](const Token& token) { return token.name == name && token.id != companion_of(by.id); });
  for (; own.size() >= logins_per_user_max; own.pop_back()) {
    const Token oldest = *own.back();
    if (auto removed = parts_.tokens.remove(oldest.id); !removed) return removed;
    record(by, "token.delete", oldest, caller);
  }
  return {};
}

void Login::record(const Token& by, std::string_view operation, const Token& object,
                   const Caller& caller) {
  parts_.audit.record({.by = by,
                       .peer = caller.peer,
                       .at = caller.wall_now,
                       .status = caller.status,
                       .change = {.operation = operation,
                                  .object = object.id.to_text(),
                                  .members = {},
                                  .organization = object.organization}});
}

}  // namespace ringpost::control
