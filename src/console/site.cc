#include "console/site.h"

#include "http/accept.h"
#include "http/problem.h"

#include <algorithm>
#include <string>

namespace ringpost::console {
namespace {

constexpr std::string_view root = "/console/";
constexpr std::string_view assets_root = "/console/assets/";

/// Everything that a page needs comes from this relay, in files: no script or style in the page
/// itself, no other host, no frame, no form that a browser would send by itself, and no text that
/// becomes markup (Trusted Types without a policy).
constexpr std::string_view content_security_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'";

/// Of the page: asked for again each time, since its links change with the program.
constexpr std::string_view of_the_page = "no-cache";
/// Of an asset: another content has another name.
constexpr std::string_view of_assets = "public, max-age=31536000, immutable";

http::Response with_policies(http::Response response) {
  response.headers.push_back({"Content-Security-Policy", std::string{content_security_policy}});
  response.headers.push_back({"Referrer-Policy", "no-referrer"});
  response.headers.push_back({"Cross-Origin-Opener-Policy", "same-origin"});
  response.headers.push_back({"Cross-Origin-Resource-Policy", "same-origin"});
  return response;
}

http::Response refuse(uint16_t status, std::string_view detail) {
  return with_policies(http::problem_response({.status = status, .detail = std::string{detail}}));
}

http::Response show(const http::Request& request, const File& file, std::string_view cache) {
  http::Response response;
  response.content_type = file.content_type;
  response.headers = {{"ETag", std::string{file.tag}},
                      {"Cache-Control", std::string{cache}},
                      {"Vary", "Accept-Encoding"}};
  if (http::names_tag(request.header("if-none-match"), file.tag)) {
    response.status = 304;
  } else if (http::accepts_gzip(request)) {
    response.headers.push_back({"Content-Encoding", "gzip"});
    response.body = file.compressed;
  } else {
    response.body = file.content;
  }
  return with_policies(std::move(response));
}

http::Response show_asset(const http::Request& request, std::span<const File> assets) {
  const std::string_view name = std::string_view{request.path}.substr(assets_root.size());
  const auto found = std::ranges::find(assets, name, &File::name);
  if (found == assets.end()) {
    return refuse(404, "there is no such file; reload the page, which may be of another version");
  }
  return show(request, *found, of_assets);
}

http::Response lead_to_page() {
  http::Response response;
  response.status = 302;
  response.headers.push_back({"Location", std::string{root}});
  return with_policies(std::move(response));
}

}  // namespace

std::optional<http::Response> answer(const http::Request& request, const File& page,
                                     std::span<const File> assets) {
  const std::string_view path = request.path;
  const bool reads = request.method == "GET" || request.method == "HEAD";
  const bool is_built = !page.content.empty();
  if (path == "/") return is_built && reads ? std::optional{lead_to_page()} : std::nullopt;
  if (path != "/console" && !path.starts_with(root)) return std::nullopt;
  if (!is_built) {
    return refuse(404, "this relay was built without the console (-Dconsole=disabled)");
  }
  if (!reads) {
    http::Response refused = refuse(405, "this path accepts only: GET, HEAD");
    refused.headers.push_back({"Allow", "GET, HEAD"});
    return refused;
  }
  if (path == "/console") return lead_to_page();
  if (path.starts_with(assets_root)) return show_asset(request, assets);
  return show(request, page, of_the_page);
}

std::optional<http::Response> answer(const http::Request& request) {
  return answer(request, page(), assets());
}

}  // namespace ringpost::console
