#include "control/api/users.h"

#include "api/json_body.h"
#include "base/json_writer.h"
#include "control/api/list_query.h"
#include "control/api/rights.h"
#include "crypto/scrypt.h"
#include "http/syntax.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace ringpost::control {

namespace dom = simdjson::dom;

namespace {

/// What people sign in with: the organization is part of it, unless it is the operator's.
std::string sign_in_name(const User& user) {
  if (user.organization == subscription::operator_organization) return user.name;
  return user.organization + '/' + user.name;
}

void write_user(JsonWriter& json, const User& user) {
  json.begin_object().member("id", user.id.to_text()).member("name", user.name);
  json.member("sign_in_name", sign_in_name(user));
  write_rights(json, user.organization, user.scopes, user.sources);
  json.member("enabled", user.enabled).member("created_at", to_rfc3339(user.created_at));
  json.member("updated_at", to_rfc3339(user.updated_at)).end_object();
}

Answer answer_user(uint16_t status, const User& user) {
  std::string body;
  JsonWriter json(body);
  write_user(json, user);
  return answer_json(status, std::move(body), Answer::When::published);
}

// --- reading -------------------------------------------------------------------------------------

/// A request in the making.
struct Reading {
  User& user;
  bool creates = false;
  std::optional<std::string> organization;
  std::string password;
};

/// No two names look alike, and none looks like an organization and a name.
bool is_name(std::string_view name) {
  const auto plain = [](char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9');
  };
  return !name.empty() && plain(name.front()) && std::ranges::all_of(name, [&](char byte) {
    return plain(byte) || std::string_view{"._@+-"}.find(byte) != std::string_view::npos;
  });
}

std::optional<Problem> read_name(dom::element value, std::string& name) {
  if (auto problem = api::read(value, "name", user_name_bytes_max, name)) return problem;
  if (is_name(name)) return std::nullopt;
  return invalid("name",
                 "must begin with a letter from a to z or a digit, and have no others but these "
                 "and . _ @ + -");
}

size_t count_characters(std::string_view utf8) {
  return static_cast<size_t>(std::ranges::count_if(
      utf8, [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }));
}

std::optional<Problem> object_to_password(std::string_view password) {
  if (count_characters(password) >= password_characters_min) return std::nullopt;
  return invalid("password",
                 "must have at least " + std::to_string(password_characters_min) + " characters");
}

std::optional<Problem> read_password(dom::element value, std::string& password) {
  auto problem = api::read(value, "password", crypto::password_bytes_max, password);
  return problem ? problem : object_to_password(password);
}

std::optional<Problem> read_member(Reading& reading, std::string_view name, dom::element value) {
  if (name == "scopes") return read_scopes(value, reading.user.scopes);
  if (name == "sources") return read_sources(value, reading.user.sources);
  if (name == "password") return read_password(value, reading.password);
  if (reading.creates && name == "name") return read_name(value, reading.user.name);
  if (reading.creates && name == "organization") {
    return read_organization(value, reading.organization);
  }
  if (!reading.creates && name == "enabled") return api::read(value, name, reading.user.enabled);
  if (name == "name" || name == "organization") return invalid(name, "cannot be changed");
  return invalid(name, "is not a member of this request");
}

std::optional<Problem> read_members(dom::object body, Reading& reading) {
  for (const auto [name, value] : body) {
    if (auto problem = read_member(reading, name, value)) return problem;
  }
  if (reading.creates && reading.user.name.empty()) return invalid("name", "is required");
  if (reading.creates && reading.password.empty()) return invalid("password", "is required");
  if (reading.user.scopes == 0) return invalid("scopes", "must hold at least one scope");
  return std::nullopt;
}

struct Secret {
  std::string_view member;
  std::string text;
};

/// Reads two texts that have to be there, and no other members.
std::optional<Problem> read_both(const Call& call, Secret& first, Secret& second) {
  JsonBody body;
  if (auto problem = body.parse(call.request.body)) return problem;
  for (const auto [name, value] : body.root()) {
    if (name != first.member && name != second.member) {
      return invalid(name, "is not a member of this request");
    }
    std::string& text = name == first.member ? first.text : second.text;
    if (auto problem = api::read(value, name, crypto::password_bytes_max, text)) return problem;
  }
  for (const Secret* each : {&first, &second}) {
    if (each->text.empty()) return invalid(each->member, "is required");
  }
  return std::nullopt;
}

Problem too_many(uint32_t retry_after_s) {
  Problem problem = refusal(429, "too many passwords are being tried; try again later");
  problem.retry_after_s = retry_after_s;
  return problem;
}

Problem wrong_password() {
  Problem problem = refusal(401, "the name or the password is wrong");
  problem.type = "urn:ringpost:wrong-password";
  return problem;
}

/// Whoever has found a session open must not be able to lock its user out.
bool is_own_by_session(const Call& call, const User& user) {
  return user.id == call.token->id && !session_key(call.request).empty();
}

/// Who somebody says that they are.
struct Named {
  std::string organization;
  std::string name;

  /// For PasswordGate: apart from those that Login has.
  std::string key() const { return "user " + organization + '/' + name; }
};

/// @param text  as `sign_in_name`; ASCII letters in any case.
Named parse_sign_in_name(std::string text) {
  std::ranges::transform(text, text.begin(), http::to_lower);
  const size_t slash = text.find('/');
  if (slash == std::string::npos) {
    return {std::string{subscription::operator_organization}, std::move(text)};
  }
  return {text.substr(0, slash), text.substr(slash + 1)};
}

}  // namespace

UserApi::UserApi(const Parts& parts)
    : parts_(parts), decoy_(crypto::PasswordHash::nobodys().to_text()) {}

/// Nullptr: there is no such user, as far as the caller may know.
const User* UserApi::find(const Call& call) const {
  const auto id = Ulid::parse_either(call.id());
  const User* user = id ? parts_.users.find(*id) : nullptr;
  return user != nullptr && may_manage(call, user->organization, user->sources) ? user : nullptr;
}

/// @returns the answer, if `text` is not there (yet).
std::optional<Answer> UserApi::hash(std::string_view password, const Call& call, Instant now,
                                    std::string& text) {
  auto hashed = parts_.passwords.hash({.password = password,
                                       .organization = call.token->organization,
                                       .by_operator = call.token->is_operator(),
                                       .now = now});
  switch (hashed.outcome) {
    case PasswordGate::Outcome::right: text = std::move(hashed.next_text); return std::nullopt;
    case PasswordGate::Outcome::throttled: return refuse(too_many(hashed.retry_after_s));
    case PasswordGate::Outcome::wrong:
    case PasswordGate::Outcome::working: break;
  }
  return Answer{};
}

// --- managing them -------------------------------------------------------------------------------

Answer UserApi::create(const Call& call, Instant now) {
  JsonBody body;
  if (auto problem = body.parse(call.request.body)) return refuse(*problem);
  User user{
      .id = Ulid::mint(call.now, parts_.random), .created_at = call.now, .updated_at = call.now};
  Reading reading{.user = user, .creates = true, .organization = {}, .password = {}};
  if (auto problem = read_members(body.root(), reading)) return refuse(*problem);
  auto organization = organization_of(call, reading.organization);
  if (auto* problem = std::get_if<Problem>(&organization)) return refuse(*problem);
  user.organization = std::move(std::get<std::string>(organization));
  if (auto problem = refuse_to_give(call, user.scopes, user.sources)) return refuse(*problem);
  if (parts_.users.find(user.organization, user.name) != nullptr) {
    return refuse(api::refusal_of_member(409, "name", "is that of another user already"));
  }
  if (parts_.users.count(user.organization) >= users_per_organization_max) {
    return refuse(refusal(409, "the organization has 1,000 users; delete some first"));
  }
  if (auto answer = hash(reading.password, call, now, user.password)) return std::move(*answer);
  const auto created = parts_.users.create(std::move(user));
  if (!created) return refuse(store_failed(created.error()));
  Answer answer = answer_user(201, **created);
  answer.change = {.operation = "user.create",
                   .object = (*created)->id.to_text(),
                   .members = member_names(body.root()),
                   .organization = (*created)->organization};
  return answer;
}

Answer UserApi::list(const Call& call) {
  auto parsed = parse_list_query(call.request, ListKind::users);
  if (auto* problem = std::get_if<Problem>(&parsed)) return refuse(*problem);
  const ListQuery& query = std::get<ListQuery>(parsed);
  const auto organization = organization_of(call, query.organization);
  if (const auto* problem = std::get_if<Problem>(&organization)) return refuse(*problem);
  auto found =
      parts_.users.list(std::get<std::string>(organization), query.before(), query.limit + 1,
                        [&](const User& user) { return call.token->covers(user.sources); });
  const bool more = found.size() > query.limit;
  if (more) found.pop_back();
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("items").begin_array();
  for (const User* user : found) write_user(json, *user);
  json.end_array();
  write_next_cursor(json, query, more ? &found.back()->id : nullptr);
  json.end_object();
  return answer_json(200, std::move(body));
}

Answer UserApi::show(const Call& call) const {
  const User* user = find(call);
  if (user == nullptr) return refuse(refusal(404, "there is no such user"));
  Answer answer = answer_user(200, *user);
  answer.when = Answer::When::now;
  return answer;
}

Answer UserApi::update(const Call& call, Instant now) {
  const User* present = find(call);
  if (present == nullptr) return refuse(refusal(404, "there is no such user"));
  JsonBody body;
  if (auto problem = body.parse(call.request.body)) return refuse(*problem);
  User user = *present;
  Reading reading{.user = user, .creates = false, .organization = {}, .password = {}};
  if (auto problem = read_members(body.root(), reading)) return refuse(*problem);
  if (auto problem = refuse_to_give(call, user.scopes, user.sources)) return refuse(*problem);
  if (!reading.password.empty() && is_own_by_session(call, user)) {
    return refuse(api::refusal_of_member(
        403, "password",
        "is your own: change it with POST /v1/session/password, which asks for the present one"));
  }
  if (!reading.password.empty()) {
    if (auto answer = hash(reading.password, call, now, user.password)) return std::move(*answer);
  }
  Change change{.operation = "user.update",
                .object = user.id.to_text(),
                .members = member_names(body.root()),
                .organization = user.organization};
  const bool ends_sessions = !reading.password.empty() || !user.enabled;
  return store(std::move(user), call, std::move(change), ends_sessions);
}

/// @param ends_sessions  all but the one that the call came by.
Answer UserApi::store(User user, const Call& call, Change change, bool ends_sessions) {
  user.updated_at = call.now;
  const auto updated = parts_.users.update(std::move(user));
  if (!updated) return refuse(store_failed(updated.error()));
  if (ends_sessions) {
    parts_.sessions.end_all(parts_.users.token_of(**updated), session_key(call.request));
  }
  Answer answer = answer_user(200, **updated);
  answer.change = std::move(change);
  return answer;
}

Answer UserApi::remove(const Call& call) {
  if (auto problem = refuse_members(call)) return refuse(*problem);
  const User* user = find(call);
  if (user == nullptr) return refuse(refusal(404, "there is no such user"));
  Answer answer = answer_json(204, {});
  answer.when = Answer::When::published;
  answer.change = {.operation = "user.delete",
                   .object = user->id.to_text(),
                   .members = {},
                   .organization = user->organization};
  const subscription::Token token = parts_.users.token_of(*user);
  if (auto removed = parts_.users.remove(*user); !removed) {
    return refuse(store_failed(removed.error()));
  }
  parts_.sessions.end_all(token, {});
  return answer;
}

// --- what users do themselves --------------------------------------------------------------------

Answer UserApi::sign_in(const Call& call, Instant now, bool secure) {
  Secret name{"name", {}};
  Secret password{"password", {}};
  if (auto problem = read_both(call, name, password)) return refuse(*problem);
  const Named named = parse_sign_in_name(std::move(name.text));
  const User* user = parts_.users.find(named.organization, named.name);
  const bool takes = user != nullptr && user->enabled;
  const auto checked = parts_.passwords.attempt(
      {.user = named.key(),
       .organization = named.organization,
       .password = password.text,
       .text = takes ? std::optional<std::string_view>{user->password} : std::nullopt,
       .decoy = decoy_,
       .peer = *call.peer,
       .now = now});
  switch (checked.outcome) {
    case PasswordGate::Outcome::throttled: return refuse(too_many(checked.retry_after_s));
    case PasswordGate::Outcome::wrong: return refuse(wrong_password());
    case PasswordGate::Outcome::working: return Answer{};
    case PasswordGate::Outcome::right: break;
  }
  return begin_session(*user, call, now, secure);
}

Answer UserApi::begin_session(const User& user, const Call& call, Instant now, bool secure) {
  const subscription::Token token = parts_.users.token_of(user);
  Answer answer = parts_.sessions.begin(token, call, now, secure);
  parts_.audit.record({.by = token,
                       .peer = *call.peer,
                       .at = call.now,
                       .status = answer.response.status,
                       .change = {.operation = "session.create",
                                  .object = user.id.to_text(),
                                  .members = {},
                                  .organization = user.organization}});
  return answer;
}

Answer UserApi::change_own_password(const Call& call, Instant now) {
  Secret current{"current_password", {}};
  Secret next{"password", {}};
  if (auto problem = read_both(call, current, next)) return refuse(*problem);
  if (auto problem = object_to_password(next.text)) return refuse(*problem);
  const User* present = parts_.users.find(call.token->id);
  if (present == nullptr) {
    return refuse(refusal(409, "this is a token, not a user: it has no password"));
  }
  auto checked =
      parts_.passwords.attempt({.user = Named{present->organization, present->name}.key(),
                                .organization = present->organization,
                                .signed_in = true,
                                .password = current.text,
                                .text = present->password,
                                .decoy = {},
                                .next_password = next.text,
                                .peer = *call.peer,
                                .now = now});
  switch (checked.outcome) {
    case PasswordGate::Outcome::throttled: return refuse(too_many(checked.retry_after_s));
    case PasswordGate::Outcome::wrong:
      return refuse(api::refusal_of_member(403, current.member, "is wrong"));
    case PasswordGate::Outcome::working: return Answer{};
    case PasswordGate::Outcome::right: break;
  }
  User user = *present;
  user.password = std::move(checked.next_text);
  Change change{.operation = "user.update",
                .object = user.id.to_text(),
                .members = {"password"},
                .organization = user.organization};
  return store(std::move(user), call, std::move(change), true);
}

}  // namespace ringpost::control
