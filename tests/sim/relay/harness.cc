#include "sim/relay/harness.h"

#include "crypto/digest.h"

#include <algorithm>
#include <utility>

namespace ringpost::sim {

using std::chrono::seconds;

const io::Address RelayHarness::address = sim::address("127.0.0.1", 8420);

/// One shard and its ring; its turn is what server::ShardThread does in a loop.
class RelayHarness::ShardActor final : public Actor {
 public:
  ShardActor(RelayHarness& harness, uint32_t index)
      : world_(harness.world_),
        ring_(harness.world_.add_ring()),
        resolver_(
            std::make_unique<Resolver>(ring_, harness.relay_->counters()[index], harness.names_)),
        index_(index) {
    ring_.refresh_clock();  // Restored deliveries are measured by it.
    shard_ = harness.relay_->make_shard(index, ring_, *resolver_);
    const auto bound =
        shard_->listen(0, {.address = address, .serves = {.events = true, .api = true}});
    RINGPOST_ASSERT(bound.has_value());
    world_.add_actor(*this, ring_);
  }

  ~ShardActor() override {
    RINGPOST_ASSERT(shard_ == nullptr);
    resolver_.reset();
    world_.remove_ring(ring_);
  }

  void turn() override {
    if (left_) return;
    shard_->turn(true);
    shard_->check();
    left_ = stopping_ && shard_->stopped() && ring_.pending_count() == 0;
    if (!left_ && shard_->busy()) ring_.waker().wake();
  }

  void stop() {
    stopping_ = true;
    shard_->stop();
    ring_.waker().wake();
  }
  void hasten() {
    shard_->hasten();
    ring_.waker().wake();
  }
  bool left() const { return left_; }

  /// On a dead ring: everything ends with -ECANCELED and reaches nothing.
  void die(shard::Mailroom& mailroom) {
    shard_->stop();
    shard_->hasten();
    while (!shard_->stopped() || ring_.pending_count() > 0) {
      shard_->turn(true);
      discard_messages(mailroom);
    }
    shard_.reset();
  }
  void leave() {
    RINGPOST_ASSERT(left_);
    world_.remove_actor(*this);
    shard_.reset();
  }

 private:
  /// Nobody reads them any more; what cannot be sent would keep the shard from ending.
  void discard_messages(shard::Mailroom& mailroom) {
    control::ToControl news;
    while (mailroom.to_control(index_).receive(news)) continue;
    shard::Deliver deliver;
    for (uint32_t to = 0; to < mailroom.shard_count(); ++to) {
      if (to == index_) continue;
      while (mailroom.between(index_, to).receive(deliver)) continue;
    }
  }

  World& world_;
  Ring& ring_;
  std::unique_ptr<Resolver> resolver_;
  std::unique_ptr<shard::Shard> shard_;
  const uint32_t index_;
  bool stopping_ = false;
  bool left_ = false;
};

/// A thread without a ring: sleeps until it is woken or something is due.
class RelayHarness::HelperActor final : public Actor {
 public:
  struct Work {
    std::function<bool(WallTime, Instant)> turn;
    std::function<bool()> has_messages;
    std::function<std::optional<Instant>()> due;
  };

  HelperActor(World& world, Work work)
      : world_(world), work_(std::move(work)), waker_(world.add_actor(*this)) {}

  io::Waker& waker() { return waker_; }
  void hold(bool held) {
    held_ = held;
    waker_.wake();
  }

  void turn() override {
    if (held_) return;
    const bool more = work_.turn(world_.wall_now(), world_.now());
    const auto due = more || work_.has_messages() ? world_.now() : work_.due();
    if (!due || (alarm_ && *alarm_ > world_.now() && *alarm_ <= *due)) return;
    alarm_ = std::max(*due, world_.now());
    // A wake inside of the turn is lost, so that even `now` takes this way. The waker lives as long
    // as the world.
    world_.after(*alarm_ - world_.now(), [&waker = waker_] { waker.wake(); });
  }

 private:
  World& world_;
  const Work work_;
  bool held_ = false;
  io::Waker& waker_;
  std::optional<Instant> alarm_;
};

/// The disk under the control store: a sync takes up to a tenth of a second.
class RelayHarness::StoreSyncer {
 public:
  StoreSyncer(World& world, shard::Relay& relay, StoreDisk& disk)
      : world_(world), relay_(relay), disk_(disk) {}

  void turn(Instant now) {
    if (!relay_.store_has_messages()) return;
    if (!done_at_) done_at_ = now + std::chrono::milliseconds{random_.below(100)};
    if (now < *done_at_) return;
    done_at_.reset();
    relay_.store_turn(disk_);
  }
  std::optional<Instant> due() const { return done_at_; }

 private:
  World& world_;
  shard::Relay& relay_;
  StoreDisk& disk_;
  Prng random_{1};  // Its own: nobody else's faults shift.
  std::optional<Instant> done_at_;
};

RelayHarness::RelayHarness(World& world, uint32_t shard_count, Adjust adjust)
    : world_(world), adjust_(std::move(adjust)), shard_count_(shard_count) {
  insert_token();
}

RelayHarness::~RelayHarness() {
  if (running()) crash(Crash::kill);
}

/// A known token, so that no run depends on the system's randomness.
void RelayHarness::insert_token() {
  Prng random(1);
  subscription::Token record;
  record.id = Ulid::mint(world_.wall_now(), random);
  record.name = "simulation";
  record.scopes = static_cast<uint8_t>(subscription::Scope::admin);
  record.sha256 = crypto::sha256(as_bytes(token));
  record.created_at = world_.wall_now();
  const auto inserted = store_.store().insert_token(record);
  RINGPOST_ASSERT(inserted.has_value());
}

shard::RelayOptions RelayHarness::options() {
  shard::RelayOptions options;
  options.shard_count = shard_count_;
  options.data_dir = "/data";
  options.segment_bytes = 256 * 1024;  // A run fills several.
  options.store_thread = true;
  options.live.event_limits.event_bytes_max = 16 * 1024;
  options.live.event_limits.batch_bytes_max = 64 * 1024;
  options.seed = world_.random().next();
  for (HashKey& key : options.hash_keys) key = {world_.random().next(), world_.random().next()};
  std::string why;
  auto policy = net::EgressPolicy::create(
      {.allow_networks = {"10.0.0.0/8"}, .allow_plain_http_networks = {"10.0.0.0/8"}}, why);
  RINGPOST_ASSERT(policy.has_value());
  options.live.policy = std::move(*policy);
  if (adjust_) adjust_(options);
  return options;
}

// --- life ----------------------------------------------------------------------------------------

std::string RelayHarness::start() {
  RINGPOST_ASSERT(!running());
  if (world_.crashed()) world_.restart();
  std::string problem;
  relay_ = shard::Relay::open(world_.disk(), store_.store(), options(), world_.wall_now(),
                              world_.now(), problem);
  RINGPOST_ASSERT(store_.sync());  // A start syncs each commit.
  if (relay_ == nullptr) return problem.empty() ? "no reason given" : problem;
  start_helpers();
  for (uint32_t index = 0; index < shard_count_; ++index) {
    shards_.push_back(std::make_unique<ShardActor>(*this, index));
  }
  return {};
}

void RelayHarness::start_helpers() {
  shard::Relay& relay = *relay_;
  control_ = std::make_unique<HelperActor>(
      world_, HelperActor::Work{.turn =
                                    [&relay](WallTime wall_now, Instant now) {
                                      const bool more = relay.control_turn(wall_now, now);
                                      relay.check();
                                      return more;
                                    },
                                .has_messages = [&relay] { return relay.control_has_messages(); },
                                .due = [&relay] { return relay.control_due(); }});
  relay.mailroom().set_control_waker(&control_->waker());
  journal_ = std::make_unique<HelperActor>(
      world_,
      HelperActor::Work{.turn = [&relay](WallTime wall_now,
                                         Instant now) { return relay.journal_turn(wall_now, now); },
                        .has_messages = [&relay] { return relay.journal_has_messages(); },
                        .due = [&relay] { return relay.journal_due(); }});
  relay.mailroom().set_journal_waker(&journal_->waker());
  syncer_ = std::make_unique<StoreSyncer>(world_, relay, store_);
  store_thread_ = std::make_unique<HelperActor>(
      world_, HelperActor::Work{.turn =
                                    [&syncer = *syncer_](WallTime, Instant now) {
                                      syncer.turn(now);
                                      return false;
                                    },
                                .has_messages = [] { return false; },
                                .due = [&syncer = *syncer_] { return syncer.due(); }});
  relay.mailroom().set_store_waker(&store_thread_->waker());
}

void RelayHarness::hold_control(bool held) {
  control_->hold(held);
}

void RelayHarness::hold_journal(bool held) {
  journal_->hold(held);
}

void RelayHarness::hold_store(bool held) {
  store_thread_->hold(held);
}

void RelayHarness::crash(Crash kind) {
  RINGPOST_ASSERT(running());
  world_.crash(kind);
  for (const auto& shard : shards_) shard->die(relay_->mailroom());
  shards_.clear();
  control_.reset();
  journal_.reset();
  store_thread_.reset();
  syncer_.reset();
  relay_.reset();
  if (kind == Crash::power) store_.lose_power();
}

void RelayHarness::request_stop() {
  for (const auto& shard : shards_) shard->stop();
}

void RelayHarness::hasten() {
  for (const auto& shard : shards_) shard->hasten();
}

bool RelayHarness::stopped() const {
  return std::ranges::all_of(shards_, [](const auto& shard) { return shard->left(); });
}

void RelayHarness::leave() {
  RINGPOST_ASSERT(stopped());
  for (const auto& shard : shards_) shard->leave();
  world_.remove_actor(*control_);
  world_.remove_actor(*journal_);
  world_.remove_actor(*store_thread_);
  // The last, as ControlThread::join does. It may wake shards: their rings outlive it.
  relay_->control_turn(world_.wall_now(), world_.now());
  relay_->journal_turn(world_.wall_now(), world_.now());
  control_.reset();
  journal_.reset();
  store_thread_.reset();
  syncer_.reset();
  relay_.reset();
  shards_.clear();
}

void RelayHarness::stop(Duration drain) {
  request_stop();
  if (!world_.run_until([this] { return stopped(); }, drain)) {
    hasten();
    const bool ended = world_.run_until([this] { return stopped(); }, seconds{60});
    RINGPOST_ASSERT(ended);
  }
  leave();
}

bool RelayHarness::settle(Duration within) {
  const bool settled =
      world_.run_until([this] { return count(Counter::deliveries_pending) == 0; }, within);
  world_.run_for(std::chrono::milliseconds{100});  // Outcomes wait for others, then for the disk.
  return settled;
}

uint64_t RelayHarness::count(Counter counter) const {
  uint64_t sum = 0;
  for (const Counters& shard : relay_->counters()) sum += shard.value(counter);
  return sum;
}

}  // namespace ringpost::sim
