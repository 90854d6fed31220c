#pragma once

#include "http/message.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ringpost::ingest::test {

/// A request as the HTTP parser would hand it over: 64 bytes are allocated behind the body, and
/// what stands in them is as misleading as can be.
inline http::Request request_of(
    std::string_view content_type, std::string_view body,
    const std::vector<std::pair<std::string_view, std::string_view>>& headers = {}) {
  http::Request request;
  request.method = "POST";
  request.target = request.path = "/v1/events";
  if (!content_type.empty()) request.headers.push_back({"Content-Type", std::string{content_type}});
  for (const auto& [name, value] : headers) {
    request.headers.push_back({std::string{name}, std::string{value}});
  }
  request.body.reserve(body.size() + 64);
  request.body.append(body).append(64, '}').resize(body.size());
  return request;
}

}  // namespace ringpost::ingest::test
