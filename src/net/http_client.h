#pragma once

#include "base/clock.h"
#include "base/intrusive_list.h"
#include "base/result.h"
#include "http/message.h"
#include "http/url.h"
#include "io/ring.h"
#include "net/egress_policy.h"
#include "net/resolver.h"
#include "net/tls.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::net {

/// Whom a server's certificate is to be from, and what the server is shown if it asks. PEM; empty:
/// the common roots, and nothing.
struct ServerTrust {
  std::string ca_pem;
  std::string certificate_pem;
  std::string key_pem;
};

/// A request of the relay's own: to the API of a git host, to another relay, to a collector.
struct ClientRequest {
  http::Url url;
  std::string method = "GET";
  /// Valid ones, and none of those that http::append_request_head writes.
  std::vector<http::Header> headers;
  std::string body;
  Duration timeout = std::chrono::seconds{30};  ///< For all of it, from the name to the last byte.
  uint32_t answer_bytes_max = 1 << 20;          ///< Kept of the answer's body.
  std::shared_ptr<const ServerTrust> trust{};   ///< Null: the common roots.
  /// The configuration names the server: it may be in a private network, on any port, without TLS.
  /// Networks that the operator denies stay denied, and so do the relay's own addresses.
  bool operator_named = false;
};

/// What came of it.
struct ClientAnswer {
  /// Nothing: an answer came, whatever its status. A redirect is an answer, and not followed.
  std::optional<Error> error;
  uint16_t status = 0;
  std::vector<http::Header> headers;
  std::string body;
  bool truncated = false;  ///< There is more of it, or should have been.

  bool success() const { return !error && status >= 200 && status < 300; }
  /// The first of that name; empty if there is none.
  std::string_view header(std::string_view name) const;
};

/// Whether, and why, a request may not go to an address of its URL's host.
/// @param operator_named  as ClientRequest has it.
std::optional<Denial> denial_of_request(const EgressPolicy& policy, const http::Url& url,
                                        const io::Address& address, bool operator_named);

/// Sends such requests, each over a connection of its own, where the egress policy allows it. What
/// is sent often, and to many, is a delivery (delivery::Dispatcher).
///
/// Used on one shard.
class HttpClient {
 public:
  /// Requests under way at a time: a connection, and an answer in memory, each.
  static constexpr uint32_t requests_max = 8;

  using Done = std::function<void(ClientAnswer&&)>;

  /// All are borrowed. @param roots  null: the system's.
  HttpClient(io::Ring& ring, Resolver& resolver, const EgressPolicy& policy,
             std::shared_ptr<CommonRoots> roots);
  ~HttpClient();  // Only when `idle()`.

  /// For requests from now on. @param policy  borrowed until the next call.
  void reconfigure(const EgressPolicy& policy, std::shared_ptr<CommonRoots> roots);

  /// `done` is called once, before or after the return: Errc::overloaded (of Side::self) if there
  /// are `requests_max`, destination_denied, timed_out, or what else went wrong.
  void send(ClientRequest&& request, Done done);
  /// Ends all requests with Errc::cancelled, and takes no more.
  void stop();
  bool idle() const { return calls_.empty(); }

 private:
  class Call;

  /// What is remembered of a server: tickets.
  struct KnownServer {
    std::shared_ptr<const ServerTrust> trust;
    std::shared_ptr<ClientTls> tls;
  };

  std::shared_ptr<ClientTls> tls_for(const ClientRequest& request);
  void forget(Call& call);

  io::Ring& ring_;
  Resolver& resolver_;
  const EgressPolicy* policy_;  ///< Never null.
  std::shared_ptr<CommonRoots> roots_;
  std::map<std::string, KnownServer> tls_;  ///< By authority.
  std::map<const Call*, std::unique_ptr<Call>> calls_;
  bool stopping_ = false;
};

}  // namespace ringpost::net
