#include "dialect/buildkite/ping.h"

#include "base/bytes.h"
#include "base/json_writer.h"
#include "crypto/base64.h"
#include "crypto/digest.h"
#include "dialect/buildkite/service_fields.h"

#include <algorithm>

namespace ringpost::dialect::buildkite {

using subscription::Webhook;

namespace {

/// The same for an organization in every relay and at every time: a UUID of version 8 (RFC 9562),
/// of a hash of its name.
std::string organization_uuid(std::string_view slug) {
  const crypto::Digest digest = crypto::sha256(as_bytes("organization " + std::string{slug}));
  Ulid id;
  std::copy_n(digest.begin(), id.bytes.size(), id.bytes.begin());
  id.bytes[6] = static_cast<uint8_t>((id.bytes[6] & 0x0F) | 0x80);
  id.bytes[8] = static_cast<uint8_t>((id.bytes[8] & 0x3F) | 0x80);
  return id.to_uuid_text();
}

void write_organization(JsonWriter& json, std::string_view slug, std::string_view base_url) {
  const std::string id = organization_uuid(slug);
  const std::string url = organization_url(base_url, slug);
  json.begin_object()
      .member("id", id)
      .member("graphql_id", graphql_id("Organization", id))
      .member("url", url)
      .member("web_url", std::string{base_url}.append("/").append(slug))
      .member("name", slug)
      .member("slug", slug)
      .member("agents_url", url + "/agents")
      .member("emojis_url", url + "/emojis");
  json.member("created_at", to_milliseconds(WallTime{}));  // The relay does not know it.
  json.member("pipelines_url", url + "/pipelines").end_object();
}

}  // namespace

std::string organization_url(std::string_view base_url, std::string_view slug) {
  return std::string{base_url}.append("/v2/organizations/").append(slug);
}

std::string graphql_id(std::string_view kind, std::string_view uuid) {
  const std::string text = std::string{kind}.append("---").append(uuid);
  return crypto::base64_encode(as_bytes(text));
}

/// Without a sender: the renderer adds it, as to every body.
std::string ping_body(const Webhook& webhook, std::string_view base_url) {
  std::string body;
  JsonWriter json{body};
  json.begin_object().member("event", "ping").key("service").begin_object();
  json.member("id", webhook.id.to_uuid_text()).member("provider", "webhook");
  json.key("settings").begin_object().member("url", webhook.destination.url).end_object();
  json.end_object().key("organization");
  write_organization(json, webhook.organization, base_url);
  json.end_object();
  return body;
}

}  // namespace ringpost::dialect::buildkite
