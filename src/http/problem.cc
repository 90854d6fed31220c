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

std::string wrong_content_type(const Request& request) {
  constexpr size_t shown_max = 64;
  const std::string_view type = request.header("content-type").substr(0, shown_max);
  const std::string came = type.empty() ? "The body came without a content type"
                                        : "The body came as `" + std::string{type} + '`';
  return came + ": add the header Content-Type: application/json.";
}

Problem to_problem(const HttpError& error) {
  return {.status = error.status,
          .title = std::string{error.title},
          .detail = std::string{error.detail}};
}

}  // namespace ringpost::http
