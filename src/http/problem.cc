#include "http/problem.h"

#include "http/serialiser.h"

namespace ringpost::http {

std::string Problem::sentence() const {
  if (detail.empty()) return {};
  std::string text = of_member && !member.empty() ? "`" + member + "` " + detail : detail;
  if (text.front() >= 'a' && text.front() <= 'z') text.front() -= 'a' - 'A';
  if (!text.ends_with('.') && !text.ends_with('!') && !text.ends_with('?')) text += '.';
  return text;
}

Response problem_response(const Problem& problem, const std::function<void(JsonWriter&)>& more) {
  Response response{.status = problem.status, .content_type = "application/problem+json"};
  JsonWriter json(response.body);
  json.begin_object().member("type", problem.type);
  if (problem.title.empty()) {
    json.member("title", reason_phrase(problem.status));
  } else {
    json.member("title", problem.title);
  }
  json.member("status", problem.status);
  if (!problem.detail.empty()) json.member("detail", problem.sentence());
  if (problem.line) json.member("line", *problem.line);
  if (!problem.member.empty()) json.member("member", problem.member);
  if (more) more(json);
  json.end_object();
  if (problem.retry_after_s > 0) {
    response.headers.push_back({"Retry-After", std::to_string(problem.retry_after_s)});
  }
  return response;
}

namespace {

/// Whether it is a media type of JSON, whatever its parameters say.
bool names_json(std::string_view type) {
  std::string name{type.substr(0, type.find(';'))};
  name.resize(name.find_last_not_of(" \t") + 1);
  for (char& byte : name) byte = to_lower(byte);
  return name.ends_with("/json") || name.ends_with("+json");
}

}  // namespace

std::string wrong_content_type(const Request& request) {
  constexpr size_t shown_max = 64;
  const std::string_view type = request.header("content-type").substr(0, shown_max);
  if (type.empty()) {
    return "The body came without a content type: add the header Content-Type: application/json.";
  }
  const std::string came = "The body came as `" + std::string{type} + "`: ";
  if (names_json(type)) {
    return came +
           "JSON is read in UTF-8 only, so send it in UTF-8, with the header Content-Type: "
           "application/json.";
  }
  return came + "send JSON, and replace the header Content-Type with application/json.";
}

Problem to_problem(const HttpError& error) {
  return {.status = error.status,
          .title = std::string{error.title},
          .detail = std::string{error.detail}};
}

}  // namespace ringpost::http
