#pragma once

#include "base/intrusive_list.h"
#include "delivery/backlog.h"
#include "delivery/circuit.h"
#include "delivery/supersession.h"
#include "delivery/window.h"
#include "dialect/renderer.h"
#include "io/ring.h"
#include "journal/record.h"
#include "net/tls.h"
#include "subscription/webhook.h"
#include "subscription/webhook_version.h"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

namespace ringpost::dialect {
class Dialect;
}

namespace ringpost::delivery {

class Dispatcher;
class Connection;
struct Target;
struct Endpoint;
struct Organization;

/// One event on its way to one webhook, while an attempt is prepared or under way: before and after
/// it is a Waiting.
///
/// (loading ─> ready) ─> in flight ─> settled, or Waiting again
struct Delivery {
  enum class State : uint8_t { ready, loading, in_flight };

  Ulid id;
  journal::Position event_position;
  journal::EventRef event;   ///< Empty once let go: read back from the journal when needed.
  Target* target = nullptr;  ///< Lives as long as it has deliveries.
  uint64_t ticket = 0;       ///< Of the payload wanted while loading.
  Instant started{};         ///< Of the attempt in flight, while its start is unrecorded.
  uint32_t place_bytes = 0;  ///< Of its event, while it has a place.
  uint32_t attempts = 0;     ///< Started so far, in this life of the process and before.
  State state = State::ready;
  bool start_recorded = false;  ///< Of the attempt in flight.
  bool retry_place = false;     ///< While it has a place: Target::retries_in_flight counts it.
  bool good_place = false;      ///< While it has a place: taken in good standing (Conduct::good).
  bool enquiry = false;  ///< Has no event: asks for the receiver's permission, and is not recorded.
  ListLink ready_link;   ///< In its target's queue while ready; in flight: among the unrecorded.
  ListLink member_link;  ///< In its target's list.

  /// What is kept of it between attempts. It holds no event.
  Waiting as_waiting() const { return Waiting::make(id, event_position, attempts); }
};

/// What a webhook's receiver may be sent, kept longer than the webhook's targets, which come
/// and go with deliveries, and neither a permission nor a pace is to begin anew with each.
struct Standing {
  /// After a pause one attempt goes first, and the others wait for what it meets.
  enum class Trial : uint8_t { none, due, under_way };

  WallTime webhook_updated_at{};  ///< Of the version that the rest is about.
  std::string url;                ///< The webhook's, in that version.
  bool permitted = true;          ///< The receiver agreed, or need not be asked.
  uint64_t question = 0;          ///< The one under way: Attempt::question; 0: none.
  Duration own_interval{};        ///< Between starts of attempts, as the webhook says; 0: none.
  Duration allowed_interval{};    ///< As the receiver said with its permission.
  Instant next_start{};           ///< No attempt begins before, because of the rate.
  Instant paused_until{};         ///< Nor before this: the receiver said so (Retry-After).
  Trial trial = Trial::none;

  /// When the next attempt may begin.
  Instant next() const { return next_start > paused_until ? next_start : paused_until; }
  bool paused(Instant now) const { return trial != Trial::none || now < paused_until; }
  /// An attempt begins: when may the next?
  /// @param credit_max  how much of a delay is made up for.
  void on_start(Instant now, Duration credit_max);
};

/// How a webhook's receiver took what it was sent lately.
struct Conduct {
  WallTime webhook_updated_at{};  ///< A change of the webhook is a new beginning.
  Window window;
  Circuit circuit;  ///< Of what was asked and answered; Endpoint::circuit is for reaching it.
  /// Its last attempt was a success, and soon over: it may use what is reserved for such.
  bool good = false;
  bool told = false;  ///< Others know that its circuit, or its endpoint's, is open.
  Error last_failure{};

  /// Whether it says more than one that was never seen.
  bool telling() const { return told || !circuit.closed() || circuit.failures() > 0; }
};

/// What a webhook has ready: what goes before all others, fresh deliveries and retries, each in
/// their order.
class ReadyQueue {
 public:
  /// One of the queue: a delivery that goes first, or the first of a lane.
  struct Place {
    Delivery* delivery = nullptr;
    Lane* lane = nullptr;

    const Ulid& id() const { return delivery != nullptr ? delivery->id : lane->front().id; }
  };

  bool empty() const { return first_.empty() && fresh_.empty() && retries_.empty(); }
  uint64_t waiting() const { return fresh_.size() + retries_.size(); }
  void push_back(const Waiting& one) { (one.attempts > 0 ? retries_ : fresh_).push_back(one); }
  /// It goes before all that are Waiting.
  void push_first(Delivery& delivery) { first_.push_back(delivery); }
  /// The next to begin. While fresh ones wait, retries get every fifth start and a fifth of the
  /// places.
  /// @param places            that the webhook has.
  /// @param retries_in_place  how many of them retries have.
  Place next(uint32_t places, uint32_t retries_in_place);
  /// Of the first ones the oldest; the queue is not empty.
  Place oldest();
  /// All that are Waiting; the queue has none of them any more.
  std::array<Lane, 2> take_waiting() { return {std::move(fresh_), std::move(retries_)}; }

 private:
  IntrusiveList<Delivery, &Delivery::ready_link> first_;
  Lane fresh_;
  Lane retries_;
  uint32_t choices_ = 0;  ///< Made between the two.
};

/// Deliveries of a webhook that was deleted or disabled, until each is on record as cancelled: that
/// takes room in the journal, and they may be a million.
struct Cancellation {
  uint32_t webhook_number = 0;
  uint64_t organization_key = 0;
  std::array<Lane, 2> ready;
  RetryHeap retries;
  std::unordered_set<Ulid, UlidHash> left;  ///< Of them, those that are on record already.

  bool empty() const { return ready[0].empty() && ready[1].empty() && retries.empty(); }
  /// There is one.
  Waiting pop() {
    for (Lane& lane : ready) {
      if (!lane.empty()) return lane.pop_front();
    }
    return retries.pop();
  }
};

/// One webhook as its owner shard uses it: its settings of now, its renderer, its deliveries.
struct Target {
  Dispatcher& dispatcher;
  const uint32_t webhook_number;
  WallTime webhook_updated_at{};  ///< Of the version that the rest was made from.
  Endpoint* endpoint = nullptr;
  const dialect::Dialect* dialect = nullptr;
  std::shared_ptr<dialect::Renderer> renderer;  ///< Shared with attempts that are under way.
  std::vector<uint32_t> schedule_s;
  Duration timeout{};
  uint32_t concurrency_max = 1;
  uint32_t in_flight = 0;  ///< Attempts, and events being read back for one.
  uint32_t retries_in_flight = 0;
  Organization* organization = nullptr;  ///< The dispatcher's; never null.
  Conduct conduct;
  Standing* standing = nullptr;  ///< The dispatcher's; null: no pace, permission or pause.
  io::Timer pace_timer;          ///< While the next start is awaited.
  ReadyQueue ready;
  RetryHeap retries;
  std::unique_ptr<Supersession> supersession;  ///< Null where no event makes another pointless.
  io::Timer retry_timer;                       ///< While `retries` has any: for its first one.
  IntrusiveList<Delivery, &Delivery::member_link> members;  ///< Those that are not Waiting.
  ListLink active_link;    ///< In the round, or among those that wait for room.
  ListLink endpoint_link;  ///< In its endpoint's list of targets.

  Target(Dispatcher& owner, uint32_t number) : dispatcher(owner), webhook_number(number) {}

  /// What its conduct is about.
  subscription::WebhookVersion version() const {
    return {webhook_number, conduct.webhook_updated_at};
  }
  /// How many attempts it may have in flight now.
  uint32_t places() const { return conduct.window.size(concurrency_max); }
  /// Whether it has no delivery.
  bool unused() const { return members.empty() && ready.waiting() == 0 && retries.empty(); }
  void on_pace_due();
  void on_retry_due();
};

}  // namespace ringpost::delivery
