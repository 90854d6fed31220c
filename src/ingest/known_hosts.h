#pragma once

#include "http/message.h"
#include "http/problem.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::ingest {

/// By which names the relay may be called (reliability A-3). A page whose own name was made to lead
/// to the relay's address (DNS rebinding) is in a browser's eyes of the relay's site: that its
/// requests carry the page's name is all that tells them apart.
///
/// Immutable: any thread may ask.
class KnownHosts {
 public:
  /// @param names       host names without port, of any case.
  /// @param public_url  scheme and authority under which others reach the relay: a page from there
  ///                    is its own. May be empty; its host has to be among `names`, too.
  KnownHosts(std::vector<std::string> names, std::string public_url);

  /// Whether the value of a Host header is one of the names, `localhost`, or an IP address (which
  /// nobody can make lead elsewhere), with any port. An empty value is: no browser sends it.
  bool accept(std::string_view host) const;

  const std::string& public_url() const { return public_url_; }

 private:
  const std::vector<std::string> names_;  ///< In lower case.
  const std::string public_url_;
};

/// 421: the relay does not know this host name; which key would change that.
http::Problem unknown_host(std::string_view host);

/// 403 for a request that would change something and that a browser sent for a page of another
/// site, as its Origin or Sec-Fetch-Site says; nothing for any other.
/// @param public_url  as KnownHosts::public_url.
/// @param tls  the request came over TLS. Then a page that came without it is of another site:
///             whoever is on its way can write what it says. (Without TLS a proxy may have ended
///             it, so that pages of both schemes may be the relay's own.)
std::optional<http::Problem> object_to_site(const http::Request& head, std::string_view public_url,
                                            bool tls);

}  // namespace ringpost::ingest
