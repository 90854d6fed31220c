#pragma once

#include "io/engine.h"
#include "net/name_service.h"
#include "server/config.h"
#include "shard/relay.h"

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace ringpost::server {

/// A listener as all shards open it: each its own socket at the same address (SO_REUSEPORT), but
/// for Unix sockets, which belong to the first shard.
struct SharedListener {
  ListenerConfig config;
  io::Address bound;  ///< With the port that the first shard got.
};

/// One shard with its ring, on its own thread.
///
/// Life: `start`, `request_stop`, wait for `ended`, `join`. Between its end and `join` the thread
/// keeps its ring, because other shards and the control thread may still wake it: join no shard
/// before all have ended and the control thread is joined.
class ShardThread {
 public:
  ShardThread(shard::Relay& relay, net::NameService& names, io::EngineChoice engine, uint32_t index,
              std::vector<SharedListener>& listeners)
      : relay_(relay), names_(names), engine_(engine), index_(index), listeners_(listeners) {}

  /// Starts the thread and waits until it listens. @returns an empty text, or why it cannot run.
  std::string start();
  /// From any thread: 1 stops in order, 2 hastens.
  void request_stop(int stage);
  void join();
  /// From any thread, after `start`: it makes a turn.
  void wake() { waker_->wake(); }
  /// How many turns it has made. From any thread.
  uint64_t turns() const { return shared_.turns.load(std::memory_order_relaxed); }
  /// The shard is gone, or never came to be; its ring is left.
  bool ended() const { return shared_.ended.load(); }
  /// The ring's features; after start.
  const std::string& features() const { return features_; }

 private:
  void run(std::promise<std::string>& started);
  void run_shard(io::Ring& ring, std::promise<std::string>& started);
  std::string listen(shard::Shard& shard);
  void loop(io::Ring& ring, shard::Shard& shard, const std::function<bool()>& poll_names);

  shard::Relay& relay_;
  net::NameService& names_;
  const io::EngineChoice engine_;
  const uint32_t index_;
  std::vector<SharedListener>& listeners_;
  std::thread thread_;
  std::string features_;
  io::Waker* waker_ = nullptr;  ///< Set before `start` returns.
  struct {
    std::atomic<int> stop_stage{0};
    std::atomic<bool> ended{false};
    std::atomic<bool> released{false};
    std::atomic<uint64_t> turns{0};  ///< Written by loop().
  } shared_;
};

}  // namespace ringpost::server
