#pragma once

#include "delivery/limits.h"
#include "ingest/event_parser.h"
#include "ingest/server.h"
#include "net/egress_policy.h"
#include "net/tls.h"

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ringpost::shard {

/// What of the configuration shards use and may change while they run. Immutable once it is in
/// force: a reload makes another one.
struct LiveSettings {
  ingest::EventLimits event_limits;
  ingest::ServerLimits server;
  delivery::Limits delivery;
  net::EgressPolicy policy;
  /// What receivers are verified by whose webhook names no CA; null: the system's roots.
  std::shared_ptr<net::CommonRoots> roots;
  std::string origin = "ringpost";  ///< The DNS name that receivers are asked to permit.
  /// Nothing: no traces. Else as dialect::trace_of has it.
  std::optional<double> trace_ratio;
  /// Of each listener of the configuration, as the start had them; null, or none here: plain.
  std::vector<std::shared_ptr<net::ServerTls>> certificates;

  std::shared_ptr<net::ServerTls> certificate(size_t listener) const {
    return listener < certificates.size() ? certificates[listener] : nullptr;
  }
};

/// The settings that are in force. The control thread replaces them and tells the shards
/// (control::SettingsPublished); each shard fetches them then and keeps them until the next
/// again, so that nothing on the way of an event asks here.
///
/// Thread safety: both functions may be called from any thread. What `get` returned stays as it is
/// for as long as it is held.
class SettingsInForce {
 public:
  explicit SettingsInForce(LiveSettings first)
      : current_(std::make_shared<const LiveSettings>(std::move(first))) {}

  std::shared_ptr<const LiveSettings> get() const {
    const std::lock_guard lock{mutex_};
    return current_;
  }
  void replace(LiveSettings next) {
    auto made = std::make_shared<const LiveSettings>(std::move(next));
    {
      const std::lock_guard lock{mutex_};
      current_.swap(made);
    }
    // The old ones go here, outside of the lock, unless somebody has them.
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const LiveSettings> current_;  ///< Guarded by mutex_.
};

}  // namespace ringpost::shard
