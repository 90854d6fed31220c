#pragma once

#include "http/message.h"
#include "io/address.h"
#include "net/tls.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace ringpost::cli {

/// Where the relay is and who asks: from the options, or RINGPOST_URL and RINGPOST_TOKEN.
struct ClientOptions {
  std::string url;  ///< http://, https:// or unix:/path
  std::string token;
  std::string ca_file;  ///< PEM, for https with a private CA; empty: the system's roots.
  bool verify = true;   ///< The relay's certificate, for https.
};

/// The address of a name or an IP address without brackets: the first that the system gives.
/// Blocks. Nothing if there is none.
std::optional<io::Address> resolve(const std::string& host, uint16_t port);
/// What a client trusts: the CAs of `ca_file` alone, or the system's. @returns null with `problem`
/// set if the file is not a CA's.
std::unique_ptr<net::ClientTls> make_tls(const ClientOptions& options, std::string& problem);

struct Answer {
  uint16_t status = 0;
  std::string body;
  std::string retry_after;  ///< The header's value, as it came.

  bool ok() const { return status >= 200 && status < 300; }
};

/// What came of an answer without end.
struct Followed {
  bool begun = false;             ///< It was a success, and some of it may have been taken.
  std::optional<Answer> refusal;  ///< A whole answer that was none.
  std::string problem;            ///< Why it ended; empty: in order, or `take` ended it.
};

/// A blocking HTTP client for the commands: one connection, kept between requests.
class Client {
 public:
  /// Fails with a text. `wrong_usage`: the options are at fault (a URL that cannot be
  /// read, a CA file that is none), not the world (a name that does not resolve, no io_uring).
  static std::unique_ptr<Client> create(const ClientOptions& options, std::string& problem,
                                        bool& wrong_usage);
  virtual ~Client() = default;

  /// Sends one request and waits for the whole answer, 60 s at most.
  /// @returns nothing if none came; `problem` says why.
  virtual std::optional<Answer> request(std::string_view method, std::string_view target,
                                        std::string_view content_type, std::string_view body,
                                        std::string& problem) = 0;

  /// Asks for a stream of server-sent events, and waits until it ends. One that says nothing for 60
  /// seconds is taken for lost: a relay says something every 15.
  /// @param last_id  of the event to go on behind; empty: none.
  /// @param take     what comes of the body; @returns whether to go on.
  virtual Followed follow(std::string_view target, std::string_view last_id,
                          const std::function<bool(std::string_view)>& take) = 0;
};

}  // namespace ringpost::cli
