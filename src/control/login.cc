#include "control/login.h"

#include "base/bytes.h"
#include "control/api/tokens.h"
#include "crypto/digest.h"
#include "crypto/scrypt.h"
#include "http/syntax.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace ringpost::control {

using subscription::Token;

namespace {

constexpr KeyedLimiter::Options refreshes{
    .burst = Login::refreshes_per_minute,
    .interval = Duration{std::chrono::minutes(1)} / Login::refreshes_per_minute};

std::string refresh_name(const LoginUser& user) {
  return std::string{login_token_prefix} + user.email + " (refresh)";
}

/// What a refresh token is stored under: its text is good for this password alone.
crypto::Digest refresh_hash(std::string_view text, const LoginUser& user) {
  return crypto::sha256(as_bytes(std::string{text} + '\n' + user.scrypt_text));
}

}  // namespace

Login::Login(const Parts& parts, std::vector<LoginUser> users)
    : parts_(parts), users_(std::move(users)), refreshes_(refreshes) {}

Login::Result Login::attempt(const Attempt& attempt) {
  if (users_.empty()) return Refused{};  // Nobody can be found out.
  const auto found = std::ranges::find_if(users_, [&](const LoginUser& user) {
    return http::equal_ignoring_case(user.email, attempt.email);
  });
  const bool takes = found != users_.end() && attempt.password.size() <= crypto::password_bytes_max;
  // For one unknown email always the same hash, so that its time does not vary either.
  const LoginUser& stranger = users_[parts_.passwords.pick(attempt.email, users_.size())];
  const auto checked = parts_.passwords.attempt(
      {.user = attempt.email,
       .organization = found != users_.end() ? found->organization : stranger.organization,
       .password = attempt.password.substr(0, crypto::password_bytes_max),
       .text = takes ? std::optional<std::string_view>{found->scrypt_text} : std::nullopt,
       .decoy = found != users_.end() ? found->scrypt_text : stranger.scrypt_text,
       .peer = attempt.peer,
       .now = attempt.now});
  switch (checked.outcome) {
    case PasswordGate::Outcome::throttled: return Throttled{checked.retry_after_s};
    case PasswordGate::Outcome::working:
    case PasswordGate::Outcome::wrong: return Refused{};
    case PasswordGate::Outcome::right: break;
  }
  return grant(*found, {attempt.peer, attempt.wall_now, attempt.status});
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
  const auto source = parts_.passwords.source_key(refresh.peer);
  if (source) {
    const Duration left = parts_.passwords.wait_of_source(*source, refresh.now);
    if (left > Duration{}) return Throttled{to_seconds_up(left)};
  }
  const Token* stored = nullptr;
  const LoginUser* user = user_of(refresh.token, stored);
  if (user == nullptr || stored->expired(refresh.wall_now)) {
    if (source) parts_.passwords.count_failure_of_source(*source, refresh.now);
    return Refused{};
  }
  const uint64_t key = parts_.passwords.user_key(user->email);
  const Duration left = refreshes_.wait(key, refresh.now);
  if (left > Duration{}) return Throttled{to_seconds_up(left)};
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
