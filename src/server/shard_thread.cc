#include "server/shard_thread.h"

#include "io/listener.h"
#include "io/process.h"
#include "net/shard_resolver.h"

namespace ringpost::server {

std::string ShardThread::start() {
  std::promise<std::string> started;
  auto result = started.get_future();
  if (!io::start_thread(thread_, "shard-" + std::to_string(index_),
                        [this, &started] { run(started); })) {
    shared_.ended.store(true);
    return io::explain_thread_failure();
  }
  return result.get();
}

void ShardThread::request_stop(int stage) {
  shared_.stop_stage.store(stage);
  if (waker_ != nullptr) waker_->wake();
}

void ShardThread::join() {
  shared_.released.store(true);
  shared_.released.notify_one();
  if (thread_.joinable()) thread_.join();
}

void ShardThread::run(std::promise<std::string>& started) {
  const io::OpenedRing opened = io::open_ring(engine_, io::FileUse::write_and_read);
  if (opened.ring == nullptr) {
    shared_.ended.store(true);
    return started.set_value(opened.problem);
  }
  waker_ = &opened.ring->waker();
  features_ = opened.features;
  run_shard(*opened.ring, started);
  shared_.ended.store(true);
  shared_.released.wait(false);
}

void ShardThread::run_shard(io::Ring& ring, std::promise<std::string>& started) {
  net::ShardResolver resolver(ring, names_, relay_.counters()[index_]);
  ring.turn(false);  // Reads the clocks, which restored deliveries are measured by.
  auto shard = relay_.make_shard(index_, ring, resolver);
  const std::string problem = listen(*shard);
  if (!problem.empty()) request_stop(2);
  started.set_value(problem);
  loop(ring, *shard, [&resolver] {
    resolver.poll();
    return resolver.has_answers();
  });
  shard.reset();
  while (ring.pending_count() > 0) ring.turn(true);
}

/// @returns why an address cannot be listened at; empty if all can.
std::string ShardThread::listen(shard::Shard& shard) {
  for (size_t number = 0; number < listeners_.size(); ++number) {
    SharedListener& listener = listeners_[number];
    const bool is_unix = listener.bound.family == io::Address::Family::unix_path;
    if (is_unix && index_ > 0) continue;
    const auto bound =
        shard.listen(number, {.address = listener.bound,
                              // Shards share a port among themselves, not with another relay.
                              .socket = {.reuse_port = true, .must_be_free = index_ == 0},
                              .serves = {.events = listener.config.serves.events,
                                         .api = listener.config.serves.api,
                                         .metrics = listener.config.serves.metrics,
                                         .console = listener.config.serves.console,
                                         .cloudevents = listener.config.serves.cloudevents}});
    if (!bound) return io::explain_listen_failure(listener.bound, bound.error());
    listener.bound = *bound;
  }
  return {};
}

void ShardThread::loop(io::Ring& ring, shard::Shard& shard,
                       const std::function<bool()>& poll_names) {
  int stage = 0;
  while (true) {
    const int wanted = shared_.stop_stage.load();
    if (stage < 1 && wanted >= 1) shard.stop();
    if (stage < 2 && wanted >= 2) shard.hasten();
    stage = wanted;
    if (stage > 0 && shard.stopped() && ring.pending_count() == 0) return;
    const bool names_waiting = poll_names();
    shard.turn(!names_waiting);
    shared_.turns.store(turns() + 1, std::memory_order_relaxed);
  }
}

}  // namespace ringpost::server
