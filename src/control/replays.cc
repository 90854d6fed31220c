#include "control/replays.h"

#include "base/assert.h"
#include "base/log.h"
#include "base/siphash.h"
#include "control/api/api.h"
#include "control/api/history.h"
#include "control/outgoing.h"
#include "control/store/store.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace ringpost::control {

using api::Problem;
using index::DeliveryFacts;
using index::DeliveryPlace;
using journal::DeliveryStatus;
using journal::EventView;
using subscription::Webhook;

namespace {

/// What one step may cost: records read, and pages of index files.
constexpr uint32_t reads_per_step_max = 50;
constexpr uint64_t pages_per_step_max = 64;
constexpr uint32_t entries_per_plan_max = 5'000;

/// Before it looks on where it found nothing, and before it tries again what went wrong.
constexpr Duration search_interval = std::chrono::milliseconds(20);
constexpr Duration retry_interval = std::chrono::seconds(1);
/// How often progress is stored that nothing depends on.
constexpr Duration save_interval = std::chrono::seconds(1);

constexpr size_t sample_max = 20;

DeliveryPlace place_of(const DeliveryFacts& delivery) {
  return {delivery.event.uid, delivery.webhook_number};
}

/// The second half of the uid of an event that repeats a delivery for a replay: derived, so that
/// the event is known again after a crash.
std::array<uint8_t, 8> uid_tail(const Ulid& replay, const Ulid& delivery, uint32_t target) {
  HashKey key;
  std::memcpy(key.data(), replay.bytes.data(), sizeof key);
  std::array<uint8_t, sizeof delivery.bytes + sizeof target> named;
  std::memcpy(named.data(), delivery.bytes.data(), sizeof delivery.bytes);
  std::memcpy(named.data() + sizeof delivery.bytes, &target, sizeof target);
  const uint64_t hash = siphash(key, std::as_bytes(std::span{named}));
  std::array<uint8_t, 8> tail;
  std::memcpy(tail.data(), &hash, sizeof hash);
  tail[0] = static_cast<uint8_t>((tail[0] & 0x3F) | 0x80);  // The variant of RFC 9562, 4.1.
  return tail;
}

bool has_tail(const Ulid& uid, const std::array<uint8_t, 8>& tail) {
  return std::memcmp(&uid.bytes[8], tail.data(), tail.size()) == 0;
}

/// What the texts say, which were checked when the replay was started.
DeliveryFilter filter_of(const ReplayOrder& order) {
  DeliveryFilter filter;
  if (!order.source.empty()) filter.source = order.source;
  if (!order.type.empty()) filter.type = order.type;
  filter.status = parse_status(order.status);
  filter.error = parse_error_code(order.error);
  filter.http_statuses = parse_http_statuses(order.response_status);
  if (order.since != WallTime{}) filter.since = order.since;
  filter.until = order.until;
  return filter;
}

}  // namespace

// --- what is there -------------------------------------------------------------------------------

Result<void> Replays::load() {
  return parts_.store.replays().load([this](StoredReplay&& replay) { put(std::move(replay)); });
}

void Replays::put(StoredReplay replay) {
  Job& job = jobs_[replay.id];
  const ReplayProgress& progress = replay.progress;
  const Place planned{progress.planned_uid, progress.planned_webhook};
  if (planned < Place{progress.done_uid, progress.done_webhook}) job.resumed = planned;
  job.filter = filter_of(replay.order);
  job.token.organization = replay.order.organization;
  job.token.sources = replay.order.token_sources;
  if (progress.state == ReplayState::running) running_.push_back(replay.id);
  job.replay = std::move(replay);
  show(job);
}

void Replays::show(Job& job) const {
  job.shown = job.replay;
  job.shown.progress.matched += job.counts.matched;
  job.shown.progress.sent += job.counts.sent;
  job.shown.progress.skipped += job.counts.skipped;
}

std::variant<const StoredReplay*, Problem> Replays::start(const Ulid& id, ReplayOrder order,
                                                          WallTime now) {
  const auto unfinished = std::ranges::count_if(jobs_, [&](const auto& entry) {
    const StoredReplay& other = entry.second.replay;
    return other.order.organization == order.organization && !is_over(other.progress.state);
  });
  if (static_cast<size_t>(unfinished) >= unfinished_max) {
    return refusal(409, "the organization has " + std::to_string(unfinished_max) +
                            " replays that are running or paused, and may have no more; wait for "
                            "one, or cancel one");
  }
  StoredReplay replay{.id = id, .order = std::move(order), .progress = {}, .created_at = now};
  replay.progress.updated_at = now;
  replay.progress.done_uid.bytes.fill(0xff);
  replay.progress.planned_uid.bytes.fill(0xff);
  if (auto stored = parts_.store.replays().insert(replay); !stored) {
    return store_failed(stored.error());
  }
  forget_finished(replay.order.organization);
  put(std::move(replay));
  return &jobs_.at(id).shown;
}

/// The oldest, beyond finished_max.
void Replays::forget_finished(const std::string& organization) {
  std::vector<Ulid> finished;
  for (const auto& [id, job] : jobs_) {
    const bool own = job.replay.order.organization == organization;
    if (own && is_over(job.replay.progress.state) && job.outstanding == 0) finished.push_back(id);
  }
  for (size_t index = 0; index + finished_max < finished.size(); ++index) {
    if (!parts_.store.replays().remove(finished[index])) return;  // The next start tries again.
    jobs_.erase(finished[index]);
  }
}

const StoredReplay* Replays::find(std::string_view organization, const Ulid& id) const {
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return nullptr;
  const StoredReplay& replay = found->second.shown;
  return replay.order.organization == organization ? &replay : nullptr;
}

std::vector<const StoredReplay*> Replays::list(std::string_view organization,
                                               const std::optional<Ulid>& before,
                                               size_t count) const {
  std::vector<const StoredReplay*> found;
  auto next = before ? jobs_.lower_bound(*before) : jobs_.end();
  while (next != jobs_.begin() && found.size() < count) {
    const StoredReplay& replay = (--next)->second.shown;
    if (replay.order.organization == organization) found.push_back(&replay);
  }
  return found;
}

std::optional<Problem> Replays::set_state(const Ulid& id, ReplayState state, WallTime now) {
  Job& job = jobs_.at(id);
  ReplayProgress changed = job.replay.progress;
  const bool nothing_left = changed.state == state || changed.state == ReplayState::done;
  if (nothing_left) return std::nullopt;
  if (is_over(changed.state)) {
    return refusal(409, "the replay is over: it is " + std::string{name(changed.state)});
  }
  changed.state = state;
  changed.state_reason.clear();
  changed.updated_at = now;
  if (auto stored = parts_.store.replays().set_progress(id, changed); !stored) {
    return store_failed(stored.error());
  }
  job.replay.progress = std::move(changed);
  job.not_before = Instant{};
  std::erase(running_, id);
  if (state == ReplayState::running) running_.push_back(id);
  show(job);
  return std::nullopt;
}

// --- in the background ---------------------------------------------------------------------------

// plan (its end goes to the store) ─> send_some ⟲ (when that is durable) ─> on_stored ⟲ ─>
// end_batch

Replays::Place Replays::done(const Job& job) {
  return {job.replay.progress.done_uid, job.replay.progress.done_webhook};
}

/// Only if it is running.
Instant Replays::due_of(const Job& job) const {
  const bool begins_to_send = !job.batch.empty() && job.next == 0 && !job.replay.order.dry_run;
  return begins_to_send ? std::max(job.not_before, next_batch_at_) : job.not_before;
}

/// What another replay of the organization has under way is not in the history yet: both might send
/// the same. So they go one after another, in the order in which they were started.
bool Replays::waits_for_another(const Job& job) const {
  if (job.replay.order.dry_run) return false;
  const std::string& organization = job.replay.order.organization;
  const auto competes = [&](const Job& other) {
    return other.replay.id != job.replay.id && !other.replay.order.dry_run &&
           other.replay.order.organization == organization;
  };
  for (const Ulid& id : running_) {
    if (id == job.replay.id) break;
    if (competes(jobs_.at(id))) return true;
  }
  return std::ranges::any_of(
      tickets_, [&](const auto& ticket) { return competes(jobs_.at(ticket.second.replay)); });
}

bool Replays::is_due(const Job& job, Instant now) const {
  const bool waits_for_shards = job.outstanding > 0 && job.next == job.batch.size();
  return !waits_for_shards && due_of(job) <= now && !waits_for_another(job);
}

std::optional<Instant> Replays::due() const {
  std::optional<Instant> first;
  for (const Ulid& id : running_) {
    const Job& job = jobs_.at(id);
    if (job.outstanding > 0 && job.next == job.batch.size()) continue;
    if (waits_for_another(job)) continue;
    const Instant due = due_of(job);
    first = std::min(first.value_or(due), due);
  }
  return first;
}

bool Replays::step(WallTime wall_now, Instant now) {
  for (size_t tries = running_.size(); tries > 0; --tries) {
    turn_ = (turn_ + 1) % running_.size();
    Job& job = jobs_.at(running_[turn_]);
    if (!is_due(job, now)) continue;
    advance(job, wall_now, now);
    show(job);
    break;
  }
  const auto next = due();
  return next && *next <= now;
}

void Replays::advance(Job& job, WallTime wall_now, Instant now) {
  if (job.batch.empty()) return plan(job, wall_now, now);
  if (job.next == 0 && must_wait(job, now)) return;
  send_some(job, wall_now, now);
  const bool runs = job.replay.progress.state == ReplayState::running;
  if (runs && job.next == job.batch.size() && job.outstanding == 0) end_batch(job, wall_now, now);
}

/// Chooses the next batch.
void Replays::plan(Job& job, WallTime wall_now, Instant now) {
  if (parts_.journals.unindexed() > 0) {
    return wait(job, now + retry_interval,
                "It waits until the indexes of all journal segments have been made.");
  }
  const ReplayOrder& order = job.replay.order;
  index::PageQuery query = page_query(job.filter, parts_.history.hash());
  if (order.webhook_number > 0) {
    query.webhook_number = order.webhook_number;
  } else {
    query.wants_webhook = [&](uint32_t number) {
      const Webhook* webhook = parts_.registry.find(number);
      // Whose the deliveries of a deleted one are, only their events tell.
      return webhook == nullptr ||
             (webhook->organization == order.organization && job.token.covers(webhook->sources));
    };
  }
  query.before = done(job);
  query.limit = batch_max;
  query.entries_max = entries_per_plan_max;
  query.pages_max = pages_per_step_max;
  auto page = parts_.history.of(order.organization, wall_now).page(query);
  if (!page) {
    return wait(job, now + retry_interval,
                "The history cannot be read for now: " + describe(page.error()) + ".");
  }
  job.batch = std::move(page->items);
  job.next = 0;
  job.rest = page->next_before;
  if (job.batch.empty()) {
    job.not_before = now + search_interval;
    return end_batch(job, wall_now, now);
  }
  ReplayProgress& progress = job.replay.progress;
  const Place end = job.rest.value_or(Place{});
  progress.planned_uid = end.uid;
  progress.planned_webhook = end.webhook_number;
  if (!order.dry_run && !save(job, wall_now, now)) job.batch.clear();
}

void Replays::send_some(Job& job, WallTime wall_now, Instant now) {
  if (job.next == 0 && !job.replay.order.dry_run) next_batch_at_ = now + batch_interval;
  const uint64_t pages_end = parts_.history.pages_read() + pages_per_step_max;
  for (uint32_t reads = 0; reads < reads_per_step_max && job.next < job.batch.size(); ++reads) {
    if (handle(job, job.batch[job.next], wall_now, now) == Fate::later) return;
    ++job.next;
    if (parts_.history.pages_read() >= pages_end) return;
  }
}

Replays::Fate Replays::handle(Job& job, const DeliveryFacts& delivery, WallTime wall_now,
                              Instant now) {
  const auto event = parts_.journals.read_event(delivery.event.position);
  if (event) return handle_event(job, delivery, *event, wall_now, now);
  ++job.counts.matched;  // As far as anybody can tell.
  ++job.counts.skipped;
  return Fate::taken;
}

uint32_t Replays::target_of(const Job& job, const DeliveryFacts& delivery) const {
  const uint32_t into = job.replay.order.into_number;
  return into > 0 ? into : delivery.webhook_number;
}

Replays::Fate Replays::handle_event(Job& job, const DeliveryFacts& delivery,
                                    const journal::EventRef& event, WallTime wall_now,
                                    Instant now) {
  const EventView& view = event->view();
  const ReplayOrder& order = job.replay.order;
  const VisibleHistory::View visible = parts_.history.of(order.organization, wall_now);
  const bool meant = view.organization == order.organization && job.token.may_touch(view.source) &&
                     !view.is_redelivery() && is_meant(job.filter, view) &&
                     visible.shows(delivery.state.status, view.accepted_at);
  if (!meant) return Fate::taken;
  const Webhook* target = parts_.registry.find(target_of(job, delivery));
  if (target == nullptr || !target->active()) return without_target(job, target, wall_now, now);
  const SentBefore before = sent_before(visible, job, delivery, view, target->number);
  if (before == SentBefore::unknown) {
    wait(job, now + retry_interval, "The history cannot be read for now.");
    return Fate::later;
  }
  ++job.counts.matched;
  if (before == SentBefore::otherwise || !journal::is_end(delivery.state.status)) {
    ++job.counts.skipped;
    return Fate::taken;
  }
  auto& sample = job.replay.progress.sample;
  const std::string id = delivery.id.to_text();
  if (sample.size() < sample_max && std::ranges::find(sample, id) == sample.end()) {
    sample.push_back(id);
  }
  if (before == SentBefore::by_this) {
    ++job.counts.sent;
  } else if (!order.dry_run) {
    post(job, delivery, view, *target, wall_now);
  }
  return Fate::taken;
}

/// Nothing can be sent there: of many webhooks one is passed over, with one all stops.
Replays::Fate Replays::without_target(Job& job, const Webhook* target, WallTime wall_now,
                                      Instant now) {
  const ReplayOrder& order = job.replay.order;
  if (order.webhook_number == 0 && order.into_number == 0) {
    ++job.counts.matched;
    ++job.counts.skipped;
    return Fate::taken;
  }
  if (target == nullptr) {
    end(job, ReplayState::failed, "The webhook was deleted.", wall_now, now);
  } else {
    end(job, ReplayState::paused, "The webhook is not active: enable it, then resume the replay.",
        wall_now, now);
  }
  return Fate::later;
}

/// Whether the delivery was repeated to the target: by this replay before a crash, or otherwise and
/// not in vain. A redelivery's event has the id of the first one's.
Replays::SentBefore Replays::sent_before(const VisibleHistory::View& visible, const Job& job,
                                         const DeliveryFacts& delivery, const EventView& event,
                                         uint32_t target) {
  const bool unsure = job.resumed && place_of(delivery) >= *job.resumed;
  const bool again = job.replay.order.again;
  if (again && !unsure) return SentBefore::no;
  const auto same_id =
      visible.events({.id_hash = parts_.history.hash().of(event.organization, event.id),
                      .limit = events_looked_at_max});
  if (!same_id) return SentBefore::unknown;
  const auto tail = uid_tail(job.replay.id, delivery.id, target);
  bool otherwise = false;
  for (const index::EventFacts& other : same_id->items) {
    if (other.position == delivery.event.position) continue;
    if (has_tail(other.uid, tail)) return SentBefore::by_this;
    otherwise = otherwise || (!again && is_being_sent(visible, other, delivery.id, target));
  }
  return otherwise ? SentBefore::otherwise : SentBefore::no;
}

/// Whether the event repeats the delivery to the target, and that was delivered, or may yet be.
bool Replays::is_being_sent(const VisibleHistory::View& visible, const index::EventFacts& event,
                            const Ulid& delivery, uint32_t target) {
  const auto read = parts_.journals.read_event(event.position);
  if (!read || (*read)->view().redelivery_of.as_uuid() != delivery.as_uuid()) return false;
  const auto deliveries = visible.deliveries_of(event);
  if (!deliveries) return false;
  return std::ranges::any_of(*deliveries, [&](const DeliveryFacts& one) {
    const DeliveryStatus status = one.state.status;
    return one.webhook_number == target && status != DeliveryStatus::dead &&
           status != DeliveryStatus::cancelled;
  });
}

void Replays::post(Job& job, const DeliveryFacts& delivery, const EventView& event,
                   const Webhook& target, WallTime wall_now) {
  std::string time;
  EventView again = repetition(event, delivery.id, time);
  again.header_overrides = {};
  again.uid = Ulid::mint(wall_now, parts_.random);
  const auto tail = uid_tail(job.replay.id, delivery.id, target.number);
  std::memcpy(&again.uid.bytes[8], tail.data(), tail.size());
  const uint64_t ticket = next_ticket_++;
  tickets_.emplace(ticket, Ticket{job.replay.id, delivery});
  ++job.outstanding;
  parts_.post.send(subscription::owner_shard(target, parts_.shard_count),
                   StoreEvent{.ticket = ticket,
                              .event = encode_for(again, target.number, wall_now, parts_.random),
                              .by_hand = false});
}

/// Whether the batch has to wait until its webhooks have less to do.
bool Replays::must_wait(Job& job, Instant now) {
  if (job.replay.order.dry_run || parts_.pending_counts.empty()) return false;
  const bool busy = std::ranges::any_of(job.batch, [&](const DeliveryFacts& delivery) {
    uint32_t pending = 0;
    for (const auto& shard : parts_.pending_counts) {
      pending += shard.of_webhook(target_of(job, delivery));
    }
    return pending > webhook_pending_max;
  });
  if (busy && !job.waits_since) job.waits_since = now;
  if (!busy || now - *job.waits_since >= webhook_wait_max) {
    job.waits_since.reset();
    return false;
  }
  wait(job, now + batch_interval, "It waits because a webhook has many pending deliveries.");
  return true;
}

void Replays::wait(Job& job, Instant until, std::string reason) {
  job.not_before = until;
  job.replay.progress.state_reason = std::move(reason);
}

bool Replays::on_stored(const StoreEventDone& message, Instant now) {
  auto found = tickets_.extract(message.ticket);
  if (found.empty()) return false;
  Ticket& ticket = found.mapped();
  Job& job = jobs_.at(ticket.replay);
  RINGPOST_ASSERT(job.outstanding > 0);
  --job.outstanding;
  if (message.failed && message.error.code == Errc::too_large) {
    ++job.counts.skipped;  // It would be so each time.
  } else if (message.failed) {
    --job.counts.matched;  // It comes again.
    job.refused.push_back(std::move(ticket.delivery));
    wait(job, now + retry_interval,
         message.error.code == Errc::overloaded
             ? "It waits because too many deliveries of the organization are pending."
             : "Events cannot be stored for now: " + describe(message.error) + ".");
  } else {
    ++job.counts.sent;
  }
  show(job);
  return true;
}

/// All of the batch is done, or some of it has to be done again.
void Replays::end_batch(Job& job, WallTime wall_now, Instant now) {
  job.next = 0;
  job.batch = std::exchange(job.refused, {});
  if (!job.batch.empty()) return;
  ReplayProgress& progress = job.replay.progress;
  progress.matched += job.counts.matched;
  progress.sent += job.counts.sent;
  progress.skipped += job.counts.skipped;
  job.counts = {};
  progress.state_reason.clear();
  progress.updated_at = wall_now;
  const Place rest = job.rest.value_or(Place{});
  progress.done_uid = rest.uid;
  progress.done_webhook = rest.webhook_number;
  if (!job.rest) return end(job, ReplayState::done, {}, wall_now, now);
  if (now - job.stored_at >= save_interval) save(job, wall_now, now);
}

/// It stops here, unless the store cannot say so: then it goes on, and tries again.
void Replays::end(Job& job, ReplayState state, std::string reason, WallTime wall_now, Instant now) {
  ReplayProgress& progress = job.replay.progress;
  progress.state = state;
  progress.state_reason = std::move(reason);
  if (!save(job, wall_now, now)) {
    progress.state = ReplayState::running;
    return;
  }
  std::erase(running_, job.replay.id);
  log_info("replay " + job.replay.id.to_text() + ": " + std::string{name(state)} + ", " +
           std::to_string(progress.sent) + " deliveries were sent again" +
           (progress.state_reason.empty() ? "" : ". " + progress.state_reason));
}

bool Replays::save(Job& job, WallTime wall_now, Instant now) {
  job.replay.progress.updated_at = wall_now;
  const auto stored = parts_.store.replays().set_progress(job.replay.id, job.replay.progress);
  job.stored_at = now;
  if (stored) return true;
  log_error("the progress of replay " + job.replay.id.to_text() +
            " could not be stored: " + describe(stored.error()));
  wait(job, now + std::chrono::seconds(5), "Its progress cannot be stored for now.");
  return false;
}

}  // namespace ringpost::control
