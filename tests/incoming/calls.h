#pragma once

#include "crypto/hex.h"
#include "crypto/hmac.h"
#include "http/message.h"
#include "incoming/receiver.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ringpost::incoming::test {

inline constexpr std::string_view secret = "a-secret-of-sixteen";

using Headers = std::vector<std::pair<std::string, std::string>>;

inline subscription::GitSource source_of(subscription::GitHost host) {
  subscription::GitSource source;
  source.host = host;
  source.secret = secret;
  return source;
}

inline std::string sign(std::string_view key, std::string_view text) {
  return crypto::hex_encode(
      crypto::bytes_of(crypto::HmacSha256Key{as_bytes(key)}.sign(as_bytes(text))));
}

inline http::Request call_of(std::string_view body, const Headers& headers,
                             std::string_view content_type = "application/json") {
  http::Request request;
  request.method = "POST";
  if (!content_type.empty()) request.headers.push_back({"Content-Type", std::string{content_type}});
  for (const auto& [name, value] : headers) request.headers.push_back({name, value});
  request.body.reserve(body.size() + 64);
  request.body = body;
  return request;
}

/// The headers of an authentic call.
inline Headers headers_of(subscription::GitHost host, std::string_view event, std::string_view json,
                          std::string_view id = "d-1") {
  using subscription::GitHost;
  const std::string digits = sign(secret, json);
  const std::string name{event};
  const std::string delivery{id};
  switch (host) {
    case GitHost::github:
      return {{"X-GitHub-Event", name},
              {"X-GitHub-Delivery", delivery},
              {"X-Hub-Signature-256", "sha256=" + digits}};
    case GitHost::gitlab:
      return {{"X-Gitlab-Event", name},
              {"Idempotency-Key", delivery},
              {"X-Gitlab-Token", std::string{secret}}};
    case GitHost::bitbucket:
      return {{"X-Event-Key", name},
              {"X-Request-UUID", delivery},
              {"X-Hub-Signature", "sha256=" + digits}};
    case GitHost::bitbucket_server:
      return {{"X-Event-Key", name},
              {"X-Request-Id", delivery},
              {"X-Hub-Signature", "sha256=" + digits}};
    case GitHost::gitea:
      return {
          {"X-Gitea-Event", name}, {"X-Gitea-Delivery", delivery}, {"X-Gitea-Signature", digits}};
    case GitHost::forgejo:
      return {{"X-Forgejo-Event", name},
              {"X-Forgejo-Delivery", delivery},
              {"X-Forgejo-Signature", digits},
              {"X-Gitea-Event", name},
              {"X-Gitea-Signature", digits}};
    case GitHost::gogs:
      return {{"X-Gogs-Event", name}, {"X-Gogs-Delivery", delivery}, {"X-Gogs-Signature", digits}};
    case GitHost::buildkite: return {{"X-Hub-Signature-256", "sha256=" + digits}};
  }
  return {};
}

}  // namespace ringpost::incoming::test
