#pragma once

#include "dialect/verifier.h"
#include "sink/ledger.h"
#include "sink/scenario.h"

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace ringpost::sink {

/// What came, of one endpoint or of all.
struct Totals {
  struct Signatures {
    uint64_t good = 0;
    uint64_t bad = 0;
  };

  uint64_t requests = 0;
  uint64_t answered_2xx = 0;
  uint64_t signatures_good = 0;
  uint64_t signatures_bad = 0;
  uint64_t unsigned_requests = 0;  ///< No signature to verify, or no secret to verify it with.
  uint64_t malformed = 0;
  uint64_t connections = 0;
  uint64_t handshakes_failed = 0;
  uint64_t body_bytes = 0;
  std::map<uint16_t, uint64_t> statuses;  ///< Of the answers; a fault may take an answer's place.
  std::array<uint64_t, std::size(all_faults)> faults{};  ///< By Fault.
  std::map<std::string_view, Signatures> dialects;

  void add(const Totals& other);
};

/// What becomes of one request.
struct Decision {
  uint16_t status = 200;
  Fault fault = Fault::none;
  Duration delay{};
  Duration drip_interval{};
  const std::string* answer = nullptr;  ///< Lives as long as the endpoint.
};

/// One endpoint: its plan, and what it received.
///
/// Thread safety: any thread, but for `url`, which is set before the first connection.
class Endpoint {
 public:
  /// @param seed  of what is drawn.
  Endpoint(EndpointPlan plan, uint64_t seed, const HashKey& key, uint64_t expect);

  const EndpointPlan& plan() const { return plan_; }
  const std::string& name() const { return plan_.name; }

  struct Signature {
    dialect::Verdict verdict;
    const dialect::Dialect* dialect = nullptr;  ///< By whose rules; null: there is no signature.
  };
  /// Of several secrets the verdict of the one that fits. Takes most of the time, and no lock.
  Signature verify(const dialect::Received& received, WallTime now) const;

  struct Taken {
    Decision decision;
    Ledger::Delivery* delivery = nullptr;  ///< For `note_success`; null: unknown.
  };
  /// Decides on a request that has been read, counts it and notes it in the ledger.
  /// @param elapsed  since the start.
  Taken take(Duration elapsed, size_t body_bytes, const Signature& signature,
             const Ledger::Sighting& sighting);
  /// The request is answered as decided.
  void note_answer(const Taken& taken);
  void count(uint64_t Totals::*what);

  /// What it received, which stands still as long as this is held.
  struct Reading {
    std::unique_lock<std::mutex> lock;
    const Totals& totals;
    const Ledger& ledger;
  };
  Reading read() const;

  std::string url;  ///< Where it listens.

 private:
  Decision decide(Duration elapsed);
  void count(const Signature& signature);
  const std::string& answer_of(const Phase& phase, uint16_t status);

  const EndpointPlan plan_;
  mutable std::mutex mutex_;  ///< Of everything below.
  Totals totals_;
  Ledger ledger_;
  Prng random_;
  std::map<std::pair<const Phase*, uint16_t>, std::string> answers_;  ///< Made once each.
};

}  // namespace ringpost::sink
