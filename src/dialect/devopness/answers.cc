#include "dialect/devopness/answers.h"

#include "api/sentence.h"
#include "base/json_writer.h"

namespace ringpost::dialect::devopness {

http::Response refusal_response(const api::Problem& problem) {
  http::Response response;
  response.status = problem.status;
  JsonWriter json(response.body);
  json.begin_object().member("message", api::full_sentence(problem));
  if (!problem.member.empty()) {
    json.key("errors").begin_object().key(problem.member).begin_array();
    json.value(api::full_sentence(problem)).end_array().end_object();
  }
  json.end_object();
  if (problem.retry_after_s != 0) {
    response.headers.push_back({"Retry-After", std::to_string(problem.retry_after_s)});
  }
  return response;
}

std::string message_body(std::string_view message) {
  std::string body;
  JsonWriter json(body);
  json.begin_object().member("message", message).key("errors").null().end_object();
  return body;
}

}  // namespace ringpost::dialect::devopness
