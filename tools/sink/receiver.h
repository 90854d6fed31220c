#pragma once

#include "dialect/verifier.h"
#include "http/message.h"
#include "http/request_parser.h"
#include "io/ring.h"
#include "net/stream.h"

#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace ringpost::dialect {
class Dialect;
}

namespace ringpost::sink {

/// What requests of one dialect are verified with.
struct Secret {
  const dialect::Dialect* dialect = nullptr;
  std::string text;  ///< The dialect has no objection to it.
};

/// How the receiver misbehaves after reading a request.
enum class Fault : uint8_t {
  none,
  reset,    ///< Closes without an answer.
  hang,     ///< Never answers.
  drip,     ///< Answers one byte a second.
  endless,  ///< Answers 200 with chunks for ever.
  huge,     ///< Announces 10 GiB and sends a little of it.
  cut,      ///< Announces more than it sends, then closes.
};

struct Options {
  uint16_t status = 200;
  std::string answer_body = "ok";
  std::vector<std::string> answer_headers;  ///< `Name: value`
  Duration delay{};
  Fault fault = Fault::none;
  uint64_t fail_first = 0;      ///< The first so many requests get 503, whatever `status` says.
  std::vector<Secret> secrets;  ///< At most one for each dialect.
  bool print = false;           ///< Show every request.
  std::string ledger_file;      ///< Append one line per request.
  std::string id_member;        ///< Member of the body that numbers the events from 1, for loss.
  uint64_t expect = 0;          ///< With `id_member`: events 1 to so many are to come.
  /// Hears of every request, before it is answered, on the receiver's thread; may be empty.
  std::function<void(const http::Request&, const dialect::Verdict&)> on_request;
};

struct Totals {
  uint64_t requests = 0;
  uint64_t answered_2xx = 0;
  uint64_t duplicates = 0;  ///< Deliveries seen before, by the id that their dialect gives them.
  uint64_t signatures_good = 0;
  uint64_t signatures_bad = 0;
  uint64_t unsigned_requests = 0;  ///< No signature to verify, or no secret to verify it with.
  uint64_t malformed = 0;
  uint64_t connections = 0;
};

class Connection;

/// Accepts connections and answers what comes, on one ring.
class Receiver {
 public:
  Receiver(io::Ring& ring, io::Socket listener, net::ServerTls* tls, const Options& options);
  ~Receiver();

  const Totals& totals() const { return totals_; }
  /// Numbers from 1 to `expect` that have not come.
  std::vector<uint64_t> missing() const;
  void flush();

  void stop();
  bool stopped() const { return connections_.empty() && !accepting_.pending(); }

 private:
  friend class Connection;

  void on_accept(const io::Outcome& outcome);
  /// Counts, verifies and notes a request. @returns the status to answer with.
  uint16_t take(const http::Request& request);
  struct Judgement {
    dialect::Verdict signature;
    std::string delivery;  ///< Empty: unknown.
    uint16_t status = 0;   ///< Of the answer.
  };
  dialect::Verdict verify(const http::Request& request) const;
  void note(const http::Request& request, const Judgement& judgement);

  io::Ring& ring_;
  const io::Socket listener_;
  net::ServerTls* const tls_;
  const Options options_;
  std::FILE* ledger_ = nullptr;
  io::Completion accepting_;
  io::Completion closing_;
  std::unordered_set<Connection*> connections_;
  std::unordered_set<std::string> deliveries_;
  std::unordered_set<uint64_t> numbers_;
  Totals totals_;
};

}  // namespace ringpost::sink
