#include "dialect/git_status/hosts.h"

#include "api/webhook_fields.h"
#include "base/assert.h"
#include "base/utf8.h"
#include "crypto/digest.h"
#include "crypto/hex.h"
#include "dialect/head.h"
#include "githost/host_api.h"
#include "http/query.h"
#include "http/syntax.h"

#include <algorithm>
#include <array>

namespace ringpost::dialect::git_status {
namespace {

/// What differs from host to host.
struct HostTraits {
  Host host;
  size_t context_bytes_max;      ///< What its API documents, or its errors say; in characters.
  size_t description_bytes_max;  ///< Likewise.
  std::array<std::string_view, 5> states;  ///< Its words, in the order of State.
};

/// GitHub and Gitea have no word for a build without a verdict. It is an error there, and not a
/// success: what was never tested must not pass for tested.
constexpr std::array<HostTraits, 6> traits{{
    {Host::github, 255, 140, {"pending", "pending", "success", "failure", "error"}},
    {Host::gitlab, 255, 255, {"pending", "running", "success", "failed", "canceled"}},
    {Host::bitbucket, 40, 255, {"INPROGRESS", "INPROGRESS", "SUCCESSFUL", "FAILED", "STOPPED"}},
    {Host::bitbucket_server,
     255,
     255,
     {"INPROGRESS", "INPROGRESS", "SUCCESSFUL", "FAILED", "CANCELLED"}},
    {Host::gitea, 255, 255, {"pending", "pending", "success", "failure", "error"}},
    {Host::forgejo, 255, 255, {"pending", "pending", "success", "failure", "error"}},
}};

constexpr size_t name_bytes_max = 255;  // Of both Bitbuckets' statuses, beside their key.

const HostTraits& of(Host host) {
  const auto found = std::ranges::find(traits, host, &HostTraits::host);
  RINGPOST_ASSERT(found != traits.end());
  return *found;
}

std::string_view word_of(Host host, State state) {
  return of(host).states[static_cast<size_t>(state)];
}

/// At most `bytes_max` of the text, whole characters. Bytes are never fewer than characters.
std::string_view cut(std::string_view text, size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  size_t end = 0;
  while (end < bytes_max) {
    const size_t size = std::max<size_t>(utf8_sequence_size(text.substr(end)), 1);
    if (end + size > bytes_max) break;
    end += size;
  }
  return text.substr(0, end);
}

/// A context that is too long still differs from all others: a part of its hash takes the place of
/// what is cut.
std::string fitted(std::string_view context, size_t bytes_max) {
  if (context.size() <= bytes_max) return std::string{context};
  constexpr size_t digits = 16;
  const std::string hash = crypto::hex_encode(crypto::bytes_of(crypto::sha256(as_bytes(context))));
  return std::string{cut(context, bytes_max - digits - 1)} + "-" + hash.substr(0, digits);
}

void write_if(JsonWriter& json, std::string_view member, std::string_view text) {
  if (!text.empty()) json.member(member, text);
}

bool is_bitbucket(Host host) {
  return host == Host::bitbucket || host == Host::bitbucket_server;
}

/// `/projects/ACME/repos/shop/commits/3b1f…`: where Data Center has a commit, as a page and in its
/// API.
std::string commit_at_data_center(const CommitStatus& status) {
  const size_t slash = status.repository.find('/');
  return "/projects/" + status.repository.substr(0, slash) + "/repos" +
         status.repository.substr(slash) + "/commits/" + status.commit;
}

/// Bitbucket's statuses cannot be without a URL: the commit's page is one that is always there.
std::string bitbucket_url(Host host, std::string_view pages, const CommitStatus& status) {
  if (!status.target_url.empty()) return status.target_url;
  if (host == Host::bitbucket_server) return std::string{pages} + commit_at_data_center(status);
  return std::string{pages} + "/" + status.repository + "/commits/" + status.commit;
}

}  // namespace

std::optional<Host> parse_host(std::string_view text) {
  const auto host = subscription::parse_git_host(text);
  const bool known = host && std::ranges::find(traits, *host, &HostTraits::host) != traits.end();
  return known ? host : std::nullopt;
}

std::string host_names() {
  std::string text;
  for (const HostTraits& each : traits) {
    text.append(text.empty() ? "" : ", ").append(name(each.host));
  }
  return text;
}

bool is_commit(std::string_view text) {
  return (text.size() == 40 || text.size() == 64) &&
         std::ranges::all_of(text, [](char byte) { return http::hex_value(byte).has_value(); });
}

std::string_view object_to_url(Host host, const subscription::Destination& destination) {
  if (destination.target.find('?') != std::string::npos) return "must have no query";
  if (host == Host::github && destination.host == "github.com") {
    return "must be that of the API: https://api.github.com";
  }
  if (host == Host::bitbucket_server && destination.host.ends_with("bitbucket.org")) {
    return "is Bitbucket Cloud's: its host is \"bitbucket\"";
  }
  if (host == Host::bitbucket && destination.host == "bitbucket.org") {
    return "must be that of the API: https://api.bitbucket.org";
  }
  return {};
}

std::string api_path(Host host, const subscription::Destination& destination) {
  const std::string_view target = destination.target;
  return githost::api_path(host, destination.host, target.substr(0, target.find('?')));
}

std::string pages_url(Host host, const subscription::Destination& destination) {
  if (host == Host::bitbucket) return "https://bitbucket.org";
  subscription::Destination pages = destination;
  pages.target = api_path(host, destination);
  pages.target.resize(pages.target.size() - githost::api_suffix(host).size());
  return api::plain_url(pages);
}

void append_path(Host host, const CommitStatus& status, std::string& out) {
  switch (host) {
    case Host::github:
    case Host::gitea:
    case Host::forgejo:
      out.append("/repos/").append(status.repository).append("/statuses/").append(status.commit);
      return;
    case Host::gitlab:
      out.append("/projects/");
      http::append_percent_encoded(out, status.repository);
      out.append("/statuses/").append(status.commit);
      return;
    case Host::bitbucket:
      out.append("/repositories/").append(status.repository).append("/commit/");
      out.append(status.commit).append("/statuses/build");
      return;
    case Host::bitbucket_server:
      out.append("/api/latest").append(commit_at_data_center(status)).append("/builds");
      return;
    case Host::gogs:
    case Host::buildkite: break;
  }
  RINGPOST_UNREACHABLE();
}

void write_body(Host host, std::string_view pages, const CommitStatus& status, std::string& out) {
  const HostTraits& limits = of(host);
  const std::string context = fitted(status.context, limits.context_bytes_max);
  JsonWriter json{out};
  json.begin_object().member("state", word_of(host, status.state));
  if (is_bitbucket(host)) {
    json.member("key", context)
        .member("name", cut(status.context, name_bytes_max))
        .member("url", bitbucket_url(host, pages, status));
  } else {
    json.member("context", context);
    write_if(json, "target_url", status.target_url);
  }
  write_if(json, "description", cut(status.description, limits.description_bytes_max));
  json.end_object();
}

void append_host_headers(Host host, std::string_view token, std::string& head) {
  for (const http::Header& header : githost::api_headers(host, token)) {
    append_header(head, header.name, header.value);
  }
}

}  // namespace ringpost::dialect::git_status
