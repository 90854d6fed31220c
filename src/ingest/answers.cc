#include "ingest/answers.h"

namespace ringpost::ingest {

http::Response refusal_response(const http::Problem& problem) {
  http::Response response = http::problem_response(problem);
  if (problem.status == 401) response.headers.push_back({"WWW-Authenticate", "Bearer"});
  return response;
}

}  // namespace ringpost::ingest
