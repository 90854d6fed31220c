#pragma once

#include "base/clock.h"
#include "base/prng.h"
#include "io/ring.h"
#include "sim/faults.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <vector>

namespace ringpost::sim {

class Disk;
class Network;
class Ring;

/// Something that the world runs: a shard, or a thread that sleeps until it is woken.
class Actor {
 public:
  virtual ~Actor() = default;
  /// One round of its loop. A shard calls `ring.turn(…)` in it, as its production loop does.
  virtual void turn() = 0;
};

/// What ends when the process does.
enum class Crash : uint8_t {
  kill,   ///< `kill -9`: the page cache survives, sockets are closed by the kernel.
  power,  ///< The machine stops: whatever is not on stable storage may be gone or torn.
};

/// A world with one relay process in it: time, randomness, network and disk. Everything happens in
/// one thread and in an order that derives from the seed alone.
///
/// The world owns its rings. Actors, peers and receivers belong to the test, which destroys them
/// before the world.
class World {
 public:
  struct Options {
    uint64_t seed = 1;
    Faults faults{};
    WallTime wall_start = from_unix_ns(1'900'000'000'000'000'000);  ///< In the year 2030.
    Duration network_latency_min = std::chrono::microseconds{20};   ///< One way.
    Duration network_latency_max = std::chrono::microseconds{200};
    Duration disk_latency_min = std::chrono::microseconds{60};  ///< Of a durable write.
    Duration disk_latency_max = std::chrono::microseconds{400};
  };

  explicit World(const Options& options);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // --- parts ------------------------------------------------------------------------------------

  /// A ring of the relay process. It lives until `remove_ring` or the end of the world.
  Ring& add_ring();
  /// The ring has nothing pending (or was abandoned) and no actor.
  void remove_ring(Ring& ring);

  Disk& disk() { return *disk_; }
  Network& network() { return *network_; }
  /// All randomness of the run derives from here.
  Prng& random() { return prng_; }

  const Options& options() const { return options_; }
  const Faults& faults() const { return options_.faults; }
  void set_faults(const Faults& faults) { options_.faults = faults; }

  // --- actors -----------------------------------------------------------------------------------

  /// Runs `actor` when `ring` has completions, timers that are due, or was woken; and once at
  /// first. Both are borrowed until `remove_actor` or `crash`.
  void add_actor(Actor& actor, Ring& ring);
  /// An actor without a ring: it runs when the returned waker is signalled, and once at first. The
  /// waker lives as long as the world.
  io::Waker& add_actor(Actor& actor);
  void remove_actor(Actor& actor);

  /// Calls `run` once, `delay` from now: the test's own events. It may call anything of the world,
  /// `crash` too.
  void after(Duration delay, std::function<void()> run);

  // --- time -------------------------------------------------------------------------------------

  Instant now() const { return now_; }
  WallTime wall_now() const { return options_.wall_start + wall_offset_ + now_.time_since_epoch(); }
  /// Moves the wall clock alone, forwards or back.
  void jump_wall(Duration by) { wall_offset_ += by; }

  /// Does the next thing there is. @returns false if there is nothing to do, ever.
  bool step();
  /// Steps until `done()`. @returns false if it was not done within that virtual time, or if there
  /// was nothing left to do.
  bool run_until(const std::function<bool()>& done, Duration within);
  /// Steps until nothing is left to do: no timer armed, nothing on its way. @returns false if that
  /// did not come to pass `within` that virtual time (a relay with periodic timers never ends).
  bool run_until_idle(Duration within);
  /// Steps for exactly that virtual time.
  void run_for(Duration time);

  // --- the end of the process and its second life ------------------------------------------------

  /// The relay process is gone: its sockets break, its locks are released, its disk is as the kind
  /// of crash leaves it, its actors run no more. Its rings turn into dead ones: they end what is
  /// pending with -ECANCELED when turned, refuse what is new, and reach nothing; so the test either
  /// drops the relay's objects after Ring::abandon_all, or shuts them down in order. The disk fails
  /// every call (EIO) until `restart`. Not from inside an actor's turn.
  void crash(Crash kind = Crash::power);
  /// A new process may begin: rings can be added again and the disk answers.
  void restart();
  bool crashed() const { return crashed_; }

  // --- replay -----------------------------------------------------------------------------------

  /// FNV-1a over every scheduling decision so far. The same seed and test give the same hash.
  uint64_t trace_hash() const { return trace_hash_; }
  uint64_t step_count() const { return step_count_; }

  // --- for the parts of the simulator -----------------------------------------------------------

  /// What an event is, for the trace.
  enum class Kind : uint8_t { network, disk, ring, turn, test };
  /// Events of one instant run in the order of scheduling.
  void schedule(Instant due, Kind kind, std::function<void()> run);
  /// True `per_10000` times of 10,000; 0 takes nothing from the random sequence.
  bool chance(uint32_t per_10000) { return per_10000 != 0 && prng_.chance(per_10000, 10'000); }
  Duration between(Duration low, Duration high);
  Duration network_latency() {
    return between(options_.network_latency_min, options_.network_latency_max);
  }
  /// Adds a fact to the trace.
  void note(uint64_t fact);
  /// `ring` has something for its actor.
  void notify(Ring& ring);
  /// For a ring without an actor, at the start of its turn: steps for the time that a turn takes
  /// (else who polls would wait for ever) and, if it may sleep, until it has something to do.
  void pass_time(Ring& ring, bool may_sleep);

 private:
  struct Event {
    Instant due{};
    uint64_t number = 0;
    Kind kind = Kind::test;
    std::function<void()> run;
  };
  struct Later {
    bool operator()(const Event& a, const Event& b) const {
      return a.due != b.due ? a.due > b.due : a.number > b.number;
    }
  };
  struct Seat;
  class SeatWaker;

  uint64_t seat_actor(Actor& actor, Ring* ring);
  Seat* find_seat(uint64_t number);
  void schedule_turn(Seat& seat);
  void run_turn(uint64_t number);
  Duration turn_time();
  void refresh_timer(Seat& seat);
  void refresh_timers();
  void refresh_clocks();
  Seat* earliest_timer();
  /// Does the next thing if it is due at `limit` or before. @returns false if not.
  bool step_until(Instant limit);
  void advance_to(Instant time);

  Options options_;
  Prng prng_;
  Instant now_{};
  Duration wall_offset_{};
  bool crashed_ = false;
  uint64_t trace_hash_ = 0xcbf29ce484222325;
  uint64_t step_count_ = 0;
  uint64_t event_count_ = 0;
  uint64_t seat_count_ = 0;
  uint64_t running_seat_ = 0;  // 0: none.

  std::priority_queue<Event, std::vector<Event>, Later> events_;
  std::map<uint64_t, std::unique_ptr<Seat>> seats_;  // By number: an order that does not vary.
  std::vector<std::unique_ptr<SeatWaker>> wakers_;
  std::unique_ptr<Network> network_;
  std::unique_ptr<Disk> disk_;
  std::vector<std::unique_ptr<Ring>> rings_;
};

}  // namespace ringpost::sim
