#include "control/api/session.h"

#include "api/json_body.h"
#include "base/json_writer.h"
#include "control/api/authenticate.h"
#include "control/api/list_query.h"
#include "control/api/rights.h"
#include "control/api/tokens.h"
#include "http/syntax.h"
#include "ringpost/version.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace ringpost::control {

using subscription::Token;

namespace {

constexpr std::string_view cookie_name = "ringpost_session";
/// Of a request that a page makes by itself, where nobody has touched it for a while.
constexpr std::string_view idle_header = "ringpost-idle";

/// Of the API alone; scripts cannot read it, and other sites' pages cannot make a browser send it.
std::string cookie(std::string_view key, std::chrono::seconds life, bool secure) {
  return std::string{cookie_name} + "=" + std::string{key} +
         "; Path=/v1; Max-Age=" + std::to_string(life.count()) + "; HttpOnly; SameSite=Strict" +
         (secure ? "; Secure" : "");
}

/// Whether a page of this relay sent the request. A change from another origin was refused before
/// (ingest/known_hosts.h), so that an Origin that is there is this one. Old browsers, and any
/// browser over plain http beyond this machine, say nothing in Sec-Fetch-Site.
bool is_from_own_page(const http::Request& request, bool changes) {
  const std::string_view site = request.header("sec-fetch-site");
  if (!site.empty()) return site == "same-origin" || (!changes && site == "none");
  return !changes || request.has_header("origin");
}

Problem session_over() {
  Problem problem = refusal(401, "the session is over; sign in again");
  problem.type = "urn:ringpost:session-over";
  return problem;
}

/// What the clock shows at `at`.
std::string time_of(Instant at, const Call& call, Instant now) {
  return to_rfc3339(call.now + (at - now));
}

/// As lists have it.
void write_item(JsonWriter& json, const Sessions::Session& session, const Token& token,
                const Call& call, Instant now) {
  json.begin_object().member("id", session.id.to_text()).key("token").begin_object();
  json.member("id", token.id.to_text()).member("name", token.name).end_object();
  json.member("began_at", time_of(session.began_at(), call, now));
  json.member("used_at", time_of(session.used_at, call, now));
  json.member("expires_at", time_of(session.ends_at, call, now));
  json.member("address", session.used_from.to_text()).end_object();
}

/// Whether the caller may see, and end, sessions of this token.
bool may_see(const Call& call, const Token& token) {
  if (token.id == call.token->id) return true;
  return call.token->allows(subscription::Scope::admin) &&
         may_manage(call, token.organization, token.sources);
}

Problem link_over() {
  Problem problem = refusal(401,
                            "this sign-in link was used already, or is older than a minute; make "
                            "another one with `ringpost open`");
  problem.type = "urn:ringpost:link-over";
  return problem;
}

std::optional<Problem> read_code(const Call& call, std::string& code) {
  constexpr size_t code_bytes_max = 128;
  JsonBody body;
  if (auto problem = body.parse(call.request.body)) return problem;
  for (const auto [name, value] : body.root()) {
    if (name != "code") return invalid(name, "is not a member of this request");
    if (auto problem = api::read(value, "code", code_bytes_max, code)) return problem;
  }
  if (code.empty()) return invalid("code", "is required");
  return std::nullopt;
}

std::vector<std::string_view> session_keys(const http::Request& request) {
  std::vector<std::string_view> keys;
  for (const http::Header& header : request.headers) {
    if (!http::equal_ignoring_case(header.name, "cookie")) continue;
    std::string_view pairs = header.value;
    while (!pairs.empty()) {
      const size_t size = std::min(pairs.find(';'), pairs.size());
      const std::string_view pair = http::trim(pairs.substr(0, size));
      pairs.remove_prefix(std::min(size + 1, pairs.size()));
      const size_t equals = pair.find('=');
      if (equals != std::string_view::npos && pair.substr(0, equals) == cookie_name) {
        keys.push_back(pair.substr(equals + 1));
      }
    }
  }
  return keys;
}

}  // namespace

std::string_view session_key(const http::Request& request) {
  if (request.has_header("authorization")) return {};
  const auto keys = session_keys(request);
  return keys.empty() ? std::string_view{} : keys.front();
}

std::variant<const Token*, Problem> SessionApi::authenticate(const http::Request& request,
                                                             std::string_view key,
                                                             const api::Route& route,
                                                             const io::Address& from,
                                                             WallTime wall_now, Instant now) {
  if (!is_from_own_page(request, route.changes())) {
    Problem problem = refusal(403,
                              "a session is for the pages of this relay alone; programs send a "
                              "token in the header Authorization");
    problem.type = "urn:ringpost:foreign-site";
    return problem;
  }
  // Cookies do not know ports: whoever serves another one of this host can set one for a path of
  // ours, and would decide whose session counts there.
  if (session_keys(request).size() > 1) {
    return refusal(400,
                   "the browser sent two session cookies, one of which another server on this host "
                   "has set; remove this host's cookies, and sign in again");
  }
  const Sessions::Session* session =
      sessions_.use(key, now, request.has_header(idle_header) ? nullptr : &from);
  if (session == nullptr) return session_over();
  const Token* token = token_of(*session, wall_now);
  if (token == nullptr) {
    sessions_.remove(key);
    return session_over();
  }
  if (route.scope != subscription::Scope{} && !token->allows(route.scope)) {
    return authentication_problem(
        {.reason = AuthenticationFailure::Reason::scope, .needed = route.scope});
  }
  return token;
}

/// Nullptr: it is not in force any more, and the session is over.
const Token* SessionApi::token_of(const Sessions::Session& session, WallTime wall_now) const {
  const Token* token = table_.current().token(session.token_sha256);
  return token == nullptr || token->expired(wall_now) ? nullptr : token;
}

void SessionApi::write_session(JsonWriter& json, const Token& token, const Call& call,
                               const Sessions::Session* session, Instant now) const {
  json.begin_object().key("token");
  write_token(json, token, {});
  json.key("user");
  if (const User* user = users_.find(token.id)) {
    json.value(user->name);
  } else {
    json.null();
  }
  json.member("operator", token.is_operator()).member("version", ringpost::version);
  const auto window = std::chrono::duration_cast<std::chrono::seconds>(idempotency_window_);
  json.member("idempotency_window_s", window.count());
  if (session == nullptr) {
    json.key("id").null().key("expires_at").null();
  } else {
    json.member("id", session->id.to_text());
    json.member("expires_at", time_of(session->ends_at, call, now));
  }
  json.end_object();
}

// --- signing in and out --------------------------------------------------------------------------

Answer SessionApi::create(const Call& call, Instant now, bool secure) {
  if (auto problem = refuse_members(call)) return refuse(*problem);
  return begin(*call.token, call, now, secure);
}

/// The browser's new cookie replaces that of a session before, which nobody can use any more.
Answer SessionApi::begin(const Token& token, const Call& call, Instant now, bool secure) {
  for (const std::string_view key : session_keys(call.request)) sessions_.remove(key);
  const std::string key = sessions_.create({.id = Ulid::mint(call.now, random_),
                                            .token_sha256 = token.sha256,
                                            .from = *call.peer,
                                            .now = now});
  std::string body;
  JsonWriter json(body);
  write_session(json, token, call, sessions_.use(key, now), now);
  Answer answer = answer_json(201, std::move(body));
  const auto life = std::chrono::duration_cast<std::chrono::seconds>(Sessions::life_max);
  answer.response.headers.push_back({"Set-Cookie", cookie(key, life, secure)});
  return answer;
}

Answer SessionApi::create_link(const Call& call, Instant now) {
  if (auto problem = refuse_members(call)) return refuse(*problem);
  const std::string code = links_.create(call.token->sha256, now);
  std::string body;
  JsonWriter json(body);
  json.begin_object().member("code", code).member("path", "/console/#code=" + code);
  json.member("expires_at", time_of(now + SessionLinks::life_max, call, now)).end_object();
  return answer_json(201, std::move(body));
}

Answer SessionApi::create_by_link(const Call& call, Instant now, bool secure) {
  std::string code;
  if (auto problem = read_code(call, code)) return refuse(*problem);
  const auto token_sha256 = links_.take(code, now);
  const Token* token = token_sha256 ? table_.current().token(*token_sha256) : nullptr;
  if (token != nullptr && !token->expired(call.now)) return begin(*token, call, now, secure);
  const AuthenticationFailure failure = authenticator_.refuse(*call.peer, now);
  const bool throttled = failure.reason == AuthenticationFailure::Reason::throttled;
  return refuse(throttled ? authentication_problem(failure) : link_over());
}

Answer SessionApi::show(const Call& call, Instant now) {
  const std::string_view key = session_key(call.request);
  std::string body;
  JsonWriter json(body);
  write_session(json, *call.token, call, key.empty() ? nullptr : sessions_.use(key, now), now);
  return answer_json(200, std::move(body));
}

Answer SessionApi::remove(const Call& call) {
  if (auto problem = refuse_members(call)) return refuse(*problem);
  sessions_.remove(session_key(call.request));
  Answer answer = answer_json(204, {});
  answer.response.headers.push_back({"Set-Cookie", cookie("", std::chrono::seconds(0), false)});
  return answer;
}

// --- all of them ---------------------------------------------------------------------------------

Answer SessionApi::list(const Call& call, Instant now) {
  auto parsed = parse_list_query(call.request, ListKind::sessions);
  if (auto* problem = std::get_if<Problem>(&parsed)) return refuse(*problem);
  const ListQuery& query = std::get<ListQuery>(parsed);
  const auto organization = organization_of(call, query.organization);
  if (const auto* problem = std::get_if<Problem>(&organization)) return refuse(*problem);
  const auto before = query.before();
  auto found = sessions_.list(now, [&](const Sessions::Session& session) {
    const Token* token = token_of(session, call.now);
    return token != nullptr && token->organization == std::get<std::string>(organization) &&
           may_see(call, *token) && (!before || session.id < *before);
  });
  const bool more = found.size() > query.limit;
  if (more) found.resize(query.limit);
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("items").begin_array();
  for (const auto* session : found) {
    write_item(json, *session, *token_of(*session, call.now), call, now);
  }
  json.end_array();
  write_next_cursor(json, query, more ? &found.back()->id : nullptr);
  json.end_object();
  return answer_json(200, std::move(body));
}

Answer SessionApi::remove_one(const Call& call, Instant now) {
  if (auto problem = refuse_members(call)) return refuse(*problem);
  const auto id = Ulid::parse_either(call.id());
  const auto found = sessions_.list(now, [&](const Sessions::Session& session) {
    const Token* token = token_of(session, call.now);
    return id && session.id == *id && token != nullptr && may_see(call, *token);
  });
  if (found.empty()) return refuse(refusal(404, "there is no such session"));
  Answer answer = answer_json(204, {});
  answer.change = {.operation = "session.delete",
                   .object = id->to_text(),
                   .members = {},
                   .organization = token_of(*found.front(), call.now)->organization};
  sessions_.remove(*id);
  return answer;
}

}  // namespace ringpost::control
