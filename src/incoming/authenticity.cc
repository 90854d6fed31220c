#include "incoming/authenticity.h"

#include "base/assert.h"
#include "crypto/base64.h"
#include "crypto/digest.h"
#include "crypto/hex.h"
#include "crypto/hmac.h"
#include "http/authorization.h"
#include "http/syntax.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace ringpost::incoming {
namespace {

using http::only_header;
using subscription::GitHost;
using subscription::GitSource;

/// @param digits  of HMAC-SHA256, hexadecimal.
bool is_signature(std::string_view digits, std::string_view secret, Bytes message) {
  const auto given = crypto::hex_decode(digits);
  // Before the work: 25 MiB are not hashed for somebody who signs nothing.
  if (!given || given->size() != sizeof(crypto::Digest)) return false;
  const auto expected = crypto::HmacSha256Key{as_bytes(secret)}.sign(message);
  return crypto::constant_time_equal(as_bytes(*given), crypto::bytes_of(expected));
}

bool signed_with_scheme(std::string_view header, std::string_view secret, Bytes message) {
  constexpr std::string_view scheme = "sha256=";
  if (!header.starts_with(scheme)) return false;
  return is_signature(header.substr(scheme.size()), secret, message);
}

// --- GitLab --------------------------------------------------------------------------------------

constexpr std::string_view signing_prefix = "whsec_";

bool is_fresh(std::string_view seconds, WallTime now) {
  const auto time = http::parse_decimal(seconds);
  constexpr uint64_t seconds_max = uint64_t{1} << 33;  // In nanoseconds a WallTime still holds it.
  if (!time || *time > seconds_max) return false;
  const WallTime at{std::chrono::seconds{*time}};
  return at - now <= signed_time_tolerance && now - at <= signed_time_tolerance;
}

/// Standard Webhooks: any of several values that are separated by spaces.
bool any_value_is(std::string_view header, const crypto::Digest& expected) {
  constexpr std::string_view version = "v1,";
  bool found = false;
  while (!header.empty()) {
    const std::string_view value = header.substr(0, header.find(' '));
    header.remove_prefix(std::min(value.size() + 1, header.size()));
    if (!value.starts_with(version)) continue;
    const auto given = crypto::base64_decode(value.substr(version.size()));
    found |= given && crypto::constant_time_equal(as_bytes(*given), crypto::bytes_of(expected));
  }
  return found;
}

bool signed_by_gitlab(const http::Request& request, std::string_view secret, WallTime now) {
  const auto key = crypto::base64_decode(secret.substr(signing_prefix.size()));
  const std::string_view id = only_header(request, "webhook-id");
  const std::string_view time = only_header(request, "webhook-timestamp");
  if (!key || id.empty() || !is_fresh(time, now)) return false;
  const std::array<Bytes, 5> parts{as_bytes(id), as_bytes("."), as_bytes(time), as_bytes("."),
                                   as_bytes(request.body)};
  const auto expected = crypto::HmacSha256Key{as_bytes(*key)}.sign(parts);
  return any_value_is(only_header(request, "webhook-signature"), expected);
}

/// A signature is preferred where this secret can have made one. Otherwise the secret itself is
/// shown.
bool from_gitlab(const http::Request& request, std::string_view secret, WallTime now) {
  if (secret.starts_with(signing_prefix) && request.has_header("webhook-signature")) {
    return signed_by_gitlab(request, secret, now);
  }
  return crypto::constant_time_equal(as_bytes(only_header(request, "x-gitlab-token")),
                                     as_bytes(secret));
}

// -------------------------------------------------------------------------------------------------

/// Forgejo sends Gitea's header as well, and did so alone before it had its own.
std::string_view forgejo_signature(const http::Request& request) {
  const bool own = request.has_header("x-forgejo-signature");
  return only_header(request, own ? "x-forgejo-signature" : "x-gitea-signature");
}

/// Buildkite's triggers check the signatures of GitHub and of Linear.
bool from_trigger(const http::Request& request, std::string_view secret) {
  const Bytes body = as_bytes(request.body);
  if (request.has_header("x-hub-signature-256")) {
    return signed_with_scheme(only_header(request, "x-hub-signature-256"), secret, body);
  }
  return is_signature(only_header(request, "linear-signature"), secret, body);
}

bool made_with(std::string_view secret, GitHost host, const http::Request& request, Bytes json,
               WallTime now) {
  const Bytes body = as_bytes(request.body);
  switch (host) {
    case GitHost::github:
      return signed_with_scheme(only_header(request, "x-hub-signature-256"), secret, body);
    case GitHost::gitlab: return from_gitlab(request, secret, now);
    case GitHost::bitbucket:
    case GitHost::bitbucket_server:
      return signed_with_scheme(only_header(request, "x-hub-signature"), secret, body);
    case GitHost::gitea:
      return is_signature(only_header(request, "x-gitea-signature"), secret, json);
    case GitHost::forgejo: return is_signature(forgejo_signature(request), secret, json);
    case GitHost::gogs: return is_signature(only_header(request, "x-gogs-signature"), secret, json);
    case GitHost::buildkite: return from_trigger(request, secret);
  }
  RINGPOST_UNREACHABLE();
}

}  // namespace

bool authentic(const GitSource& source, const http::Request& request, Bytes json, WallTime now) {
  if (source.secret.empty() && source.host == GitHost::buildkite) return true;
  RINGPOST_ASSERT(!source.secret.empty());
  if (made_with(source.secret, source.host, request, json, now)) return true;
  if (source.previous_secret.empty() || now >= source.previous_secret_until) return false;
  return made_with(source.previous_secret, source.host, request, json, now);
}

}  // namespace ringpost::incoming
