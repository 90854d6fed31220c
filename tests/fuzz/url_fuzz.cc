// Goal: any text is one URL or none: written again it reads the same, and nothing in it could end a
// header line or hide another host. Also the request target and the query, which share its helpers.

#include "base/assert.h"
#include "fuzz.h"
#include "http/host.h"
#include "http/query.h"
#include "http/target.h"
#include "http/url.h"

#include <algorithm>
#include <string_view>

namespace ringpost::http {
namespace {

bool visible(std::string_view text) {
  return std::ranges::all_of(text, [](char byte) { return byte > 0x20 && byte < 0x7F; });
}

void check_url(std::string_view text) {
  const auto result = parse_url(text);
  if (const auto* problem = std::get_if<UrlProblem>(&result)) {
    RINGPOST_ASSERT(!problem->reason.empty());
    return;
  }
  const Url& url = std::get<Url>(result);
  RINGPOST_ASSERT(text.size() <= url_bytes_max);
  RINGPOST_ASSERT(url.port != 0);
  RINGPOST_ASSERT(visible(url.authority()));
  RINGPOST_ASSERT(visible(url.target));
  RINGPOST_ASSERT(url.target.starts_with('/'));
  RINGPOST_ASSERT(url.target.find('#') == std::string::npos);
  RINGPOST_ASSERT(url.host.find_first_of("/?#@\\%[]") == std::string::npos);
  RINGPOST_ASSERT((url.host_kind == Url::HostKind::ipv6) ==
                  (url.host.find(':') != std::string::npos));
  RINGPOST_ASSERT((url.host_kind == Url::HostKind::ipv4) ==
                  (url.host_kind != Url::HostKind::ipv6 && ends_in_number(url.host)));
  const auto again = parse_url(url.text());
  RINGPOST_ASSERT(std::holds_alternative<Url>(again));
  RINGPOST_ASSERT(std::get<Url>(again) == url);
}

void check_target(std::string_view text) {
  const auto result = parse_target(text);
  const auto* target = std::get_if<Target>(&result);
  if (target == nullptr) return;
  RINGPOST_ASSERT(target->path.starts_with('/'));
  RINGPOST_ASSERT(is_utf8(target->path));
  const std::string framed = target->path + "/";
  RINGPOST_ASSERT(framed.find("/../") == std::string::npos);
  RINGPOST_ASSERT(framed.find("/./") == std::string::npos);
  RINGPOST_ASSERT(visible(target->query));
}

}  // namespace
}  // namespace ringpost::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  ringpost::http::check_url(text);
  ringpost::http::check_target(text);
  ringpost::http::QueryParameters::parse(text);
  return 0;
}

std::vector<std::string> fuzz_seeds() {
  return {"https://Hooks.Example.com:8443/a/../b%2e/c?d=e%20f",
          "http://127.1/",
          "http://0x7f000001:80/a",
          "http://017700000001?q",
          "http://[2001:db8::1:1.2.3.4]:65535/",
          "https://xn--mnchen-3ya.de/\xc3\xa4",
          "http://foo@127.0.0.1:80@ok.test/",
          "http://ok.test\\@127.0.0.1/",
          "/v1/webhooks/%2e%2e/a%2Fb/./c?limit=1",
          "a=b&c=%20+d&limit=10"};
}
