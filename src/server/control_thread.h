#pragma once

#include "server/helper_thread.h"
#include "shard/relay.h"

#include <atomic>

namespace ringpost::server {

/// The thread that turns the relay's control side.
class ControlThread {
 public:
  explicit ControlThread(shard::Relay& relay);

  /// As HelperThread's.
  bool start() { return thread_.start(); }
  void go() { thread_.go(); }
  /// When all shards have stopped: answers nothing more. Blocking.
  void join() { thread_.join(); }

  /// As HelperThread's.
  void wake() { thread_.wake(); }
  uint64_t turns() const { return thread_.turns(); }

  /// Reads the configuration again, soon. From any thread.
  void request_reload();

 private:
  std::atomic<bool> reload_wanted_{false};  ///< Set by request_reload(), cleared by the thread.
  HelperThread thread_;
};

}  // namespace ringpost::server
