#pragma once

#include "replica/block.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace ringpost::replica::testing {

/// One rule that the nodes of a model leave out, to show that the model would notice.
enum class Broken : uint8_t {
  nothing,
  wait,              ///< A new owner does not wait.
  lease_by_reading,  ///< An acknowledgement of a RENEW extends the lease.
  release_by_owner,  ///< RELEASE is written within the own wait, too.
  own_late_claim,    ///< A late CLAIM of the node's own does not end its ownership.
  revival,           ///< A lease that has ended stays so.
  fence,             ///< Attempts begin without a FENCE.
  look_after_lost,   ///< It claims at once after a `lost`, and `lost` ends ownership.
  truncation,        ///< The reader does not notice that the log lost its tail.
  epoch,             ///< Claims are named by their offsets alone.
  writer_check,      ///< No detector at the writer.
  witness,           ///< A mark or checkpoint is believed without looking for its witness.
  clock_rates,       ///< Clocks differ by more than the wait's margin.
};

struct ModelOptions {
  uint64_t seed = 1;
  Broken broken = Broken::nothing;
  bool rollbacks = true;
  /// Brokers crash, among them the group's coordinator, and nothing else happens.
  bool only_crashes = false;
};

/// What one run, or many, came to.
struct ModelResult {
  // How much was tried.
  uint64_t runs = 0;
  uint64_t claims = 0;
  uint64_t attempts = 0;
  uint64_t events = 0;
  uint64_t rollbacks = 0;
  uint64_t rollbacks_noticed = 0;
  uint64_t restarts = 0;
  uint64_t restores = 0;
  uint64_t from_checkpoint = 0;
  uint64_t duplicates = 0;
  /// Attempts of an old claim after a newer one's that a rollback had taken away by then, without
  /// another owner: the contract's exception.
  uint64_t after_lost_claim = 0;

  // What must be 0.
  uint64_t two_owners = 0;      ///< Attempts while another node could have begun one, too.
  uint64_t by_old_owner = 0;    ///< Attempts of an old claim after a newer one's.
  uint64_t after_the_end = 0;   ///< Attempts of what another claim had given up.
  uint64_t never_settled = 0;   ///< Deliveries without an end.
  uint64_t never_firm = 0;      ///< Events that the firm mark did not pass.
  uint64_t restored_wrong = 0;  ///< Deliveries that a restored state lacks.
  uint64_t broken_blocks = 0;   ///< Blocks that did not decode, or altered ones.
  uint64_t taken_over = 0;  ///< CLAIMs while an owner was alive; only if nothing but crashes was.

  bool good() const;
  void add(const ModelResult& other);
  std::string text() const;
};

/// Runs one partition with three nodes through faults, then in peace until all is settled.
ModelResult run_model(const ModelOptions& options);

}  // namespace ringpost::replica::testing
