#include "control/api/session.h"

#include "base/json_writer.h"
#include "control/api/authenticate.h"
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

void write_session(JsonWriter& json, const Call& call, const Sessions::Session* session,
                   Instant now) {
  json.begin_object().key("token");
  write_token(json, *call.token, {});
  json.member("operator", call.token->is_operator()).member("version", ringpost::version);
  json.key("expires_at");
  if (session == nullptr) {
    json.null();
  } else {
    json.value(to_rfc3339(call.now + (session->ends_at - now)));
  }
  json.end_object();
}

}  // namespace

namespace {

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
  const Sessions::Session* session = sessions_.use(key, now, !request.has_header(idle_header));
  if (session == nullptr) return session_over();
  const Token* token = table_.current().token(session->token_sha256);
  if (token == nullptr || token->expired(wall_now)) {
    sessions_.remove(key);
    return session_over();
  }
  if (route.scope != subscription::Scope{} && !token->allows(route.scope)) {
    return authentication_problem(
        {.reason = AuthenticationFailure::Reason::scope, .needed = route.scope});
  }
  return token;
}

Answer SessionApi::create(const Call& call, Instant now, bool secure) {
  if (auto problem = refuse_members(call)) return refuse(*problem);
  const std::string key = sessions_.create(*call.token, now);
  std::string body;
  JsonWriter json(body);
  write_session(json, call, sessions_.use(key, now), now);
  Answer answer = answer_json(201, std::move(body));
  const auto life = std::chrono::duration_cast<std::chrono::seconds>(Sessions::life_max);
  answer.response.headers.push_back({"Set-Cookie", cookie(key, life, secure)});
  return answer;
}

Answer SessionApi::show(const Call& call, Instant now) {
  const std::string_view key = session_key(call.request);
  std::string body;
  JsonWriter json(body);
  write_session(json, call, key.empty() ? nullptr : sessions_.use(key, now, false), now);
  return answer_json(200, std::move(body));
}

Answer SessionApi::remove(const Call& call) {
  if (auto problem = refuse_members(call)) return refuse(*problem);
  sessions_.remove(session_key(call.request));
  Answer answer = answer_json(204, {});
  answer.response.headers.push_back({"Set-Cookie", cookie("", std::chrono::seconds(0), false)});
  return answer;
}

}  // namespace ringpost::control
