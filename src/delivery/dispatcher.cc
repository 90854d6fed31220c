#include "delivery/dispatcher.h"

#include "delivery/retry.h"
#include "dialect/dialect.h"
#include "dialect/event_trace.h"
#include "http/trace_context.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace ringpost::delivery {

using journal::DeliveryStatus;
using journal::OutcomeView;

namespace {

/// Targets looked at again when something comes free.
constexpr uint32_t held_released = 4;

}  // namespace

void Target::on_pace_due() {
  dispatcher.on_pace_due(*this);
}

void Target::on_retry_due() {
  dispatcher.on_retry_due(*this);
}

void Endpoint::on_probe_due() {
  dispatcher.on_probe_due(*this);
}

Dispatcher::Dispatcher(const Dependencies& dependencies, const Limits& limits)
    : ring_(dependencies.ring),
      resolver_(dependencies.resolver),
      counters_(dependencies.counters),
      host_(dependencies.host),
      pending_counts_(dependencies.pending_counts),
      policy_(&dependencies.policy),
      limits_(limits),
      origin_(dependencies.origin),
      roots_(dependencies.roots),
      trace_ratio_(dependencies.trace_ratio),
      first_tick_(dependencies.ring.now()) {}

void Dispatcher::reconfigure(const Settings& settings) {
  set_limits(settings.limits);
  set_origin(settings.origin);
  set_roots(settings.roots);
  policy_ = &settings.policy;
  trace_ratio_ = settings.trace_ratio;
  std::vector<Connection*> all;  // Judging may end some.
  connections_.for_each([&](Connection& connection) { all.push_back(&connection); });
  for (Connection* connection : all) connection->judge_again();
}

void Dispatcher::set_limits(const Limits& limits) {
  const Duration idle_max = std::exchange(limits_, limits).idle_max;
  for (auto& [key, endpoint] : endpoints_) {
    // What a receiver asked for stays, if it is less.
    const bool lowered = endpoint->idle_max < idle_max;
    endpoint->idle_max = lowered ? std::min(endpoint->idle_max, limits.idle_max) : limits.idle_max;
  }
  limit_pauses();
  // There may be room now; who finds none waits again.
  for (auto& [key, endpoint] : endpoints_) release(*endpoint);
  release_all_held();
}

void Dispatcher::set_origin(const std::string& origin) {
  if (origin_ == origin) return;
  origin_ = origin;
  for (auto& [number, standing] : standings_) standing.webhook_updated_at = {};
  for (auto& [number, target] : targets_) target->webhook_updated_at = {};
}

/// Endpoints that trusted the roots of before are used no more: they go with their connections.
void Dispatcher::set_roots(std::shared_ptr<net::CommonRoots> roots) {
  const auto pem_of = [](const net::CommonRoots* of) {
    return of != nullptr ? std::string_view{of->ca_pem()} : std::string_view{};
  };
  if (pem_of(roots.get()) == pem_of(roots_.get())) return;
  roots_ = std::move(roots);
  ++roots_version_;
  kept_tls_.clear();
  for (auto& [number, target] : targets_) target->webhook_updated_at = {};
}

Dispatcher::~Dispatcher() {
  RINGPOST_ASSERT(connections_.empty());
  ring_.disarm(shortage_timer_);
  ring_.disarm(start_timer_);
  for (auto& [number, target] : targets_) {
    target->members.for_each([](Delivery& delivery) { delete &delivery; });
  }
}

// --- webhooks and endpoints ----------------------------------------------------------------------

void Dispatcher::restore(const PendingPause& pause) {
  const Duration left = std::min<Duration>(pause.until - ring_.wall_now(), retry_after_max);
  if (left <= Duration::zero()) return;
  // The rest is set when the webhook is first used: its version here is none.
  Standing& standing = standings_[pause.webhook.number];
  standing.url = pause.url;
  standing.paused_until = ring_.now() + left;
  standing.trial = Standing::Trial::due;
  host_.on_receiver_paused(pause.webhook, ring_.wall_now() + left);
}

Target& Dispatcher::target_for(uint32_t webhook_number) {
  std::unique_ptr<Target>& target = targets_[webhook_number];
  if (target != nullptr) return *target;
  target = std::make_unique<Target>(*this, webhook_number);
  const subscription::Webhook* webhook = host_.snapshot().webhook(webhook_number);
  target->organization = &organization_for(webhook != nullptr ? webhook->organization : "");
  ++target->organization->target_count;
  if (webhook != nullptr && dialect::of(*webhook).newer_supersedes_older(*webhook)) {
    target->supersession = std::make_unique<Supersession>();
  }
  if (const auto known = conducts_.find(webhook_number); known != conducts_.end()) {
    target->conduct = known->second;
    conducts_.erase(known);
  }
  return *target;
}

Organization& Dispatcher::organization_for(std::string_view name) {
  std::unique_ptr<Organization>& organization = organizations_[std::string{name}];
  if (organization == nullptr) {
    organization = std::make_unique<Organization>();
    organization->name = name;
    organization->key = subscription::organization_key(name);
  }
  return *organization;
}

/// What its receiver did is remembered, where that says anything.
void Dispatcher::forget(Target& target) {
  if (target.conduct.telling() && conducts_.size() < limits_.conducts_max) {
    conducts_[target.webhook_number] = target.conduct;
  } else if (target.conduct.told) {
    host_.on_circuit_closed(target.version());
  }
  Organization& organization = *target.organization;
  targets_.erase(target.webhook_number);
  if (--organization.target_count == 0) organizations_.erase(std::string{organization.name});
}

namespace {

/// Whether somebody has to agree first. Who listens does.
bool asks_first(const subscription::Webhook& webhook) {
  return !webhook.is_listener && dialect::of(webhook).asks_first(webhook);
}

}  // namespace

/// Brings the target's settings up to the webhook's present version.
/// @returns false if there is no active webhook of that number.
bool Dispatcher::refresh(Target& target) {
  const subscription::Webhook* webhook = host_.snapshot().webhook(target.webhook_number);
  if (webhook == nullptr || !webhook->active()) return false;
  if (target.renderer != nullptr && target.webhook_updated_at == webhook->updated_at) return true;
  target.webhook_updated_at = webhook->updated_at;
  if (target.conduct.webhook_updated_at != webhook->updated_at) {
    target.conduct = {.webhook_updated_at = webhook->updated_at};
  }
  target.dialect = &dialect::of(*webhook);
  target.renderer = target.dialect->make_renderer(*webhook);
  target.schedule_s = webhook->schedule_s;
  target.timeout = std::chrono::milliseconds{webhook->timeout_ms};
  target.concurrency_max = webhook->concurrency_max;
  target.standing = standing_for(*webhook, asks_first(*webhook));
  Endpoint* before = target.endpoint;
  target.endpoint = &endpoint_for(*webhook);
  if (before != target.endpoint) {
    target.endpoint_link.unlink();
    target.endpoint->targets.push_back(target);
    if (before != nullptr) tidy(*before);
  }
  return true;
}

/// A change of the webhook makes its permission void; when the next attempt may begin stays. A
/// pause was asked for by whoever answers at its URL, and ends with that.
Standing* Dispatcher::standing_for(const subscription::Webhook& webhook, bool asks_first) {
  const auto found = standings_.find(webhook.number);
  const bool paused = found != standings_.end() && found->second.paused(ring_.now()) &&
                      found->second.url == webhook.destination.url;
  if (webhook.rate_per_second == 0 && !asks_first && !paused) {
    standings_.erase(webhook.number);
    return nullptr;
  }
  Standing& standing = standings_[webhook.number];
  if (standing.webhook_updated_at == webhook.updated_at) return &standing;
  standing.webhook_updated_at = webhook.updated_at;
  if (!paused) {
    standing.url = webhook.destination.url;
    standing.paused_until = {};
    standing.trial = Standing::Trial::none;
  }
  standing.permitted = !asks_first;
  standing.question = 0;  // An answer that is under way is about what was before.
  standing.allowed_interval = {};
  standing.own_interval = webhook.rate_per_second == 0
                              ? Duration::zero()
                              : Duration{std::chrono::seconds{1}} / webhook.rate_per_second;
  return &standing;
}

Endpoint& Dispatcher::endpoint_for(const subscription::Webhook& webhook) {
  std::string key = subscription::endpoint_key(webhook);
  const bool common = webhook.destination.tls && webhook.tls_verify && webhook.tls_ca.empty();
  if (common) key.append(1, '\0').append(std::to_string(roots_version_));
  std::unique_ptr<Endpoint>& endpoint = endpoints_[key];
  if (endpoint != nullptr) return *endpoint;
  endpoint = std::make_unique<Endpoint>(*this);
  endpoint->key = std::move(key);
  endpoint->host = webhook.destination.host;
  endpoint->port = webhook.destination.port;
  endpoint->tls_wanted = webhook.destination.tls;
  endpoint->is_listener = webhook.is_listener;
  endpoint->idle_max = limits_.idle_max;
  if (const auto learnt = learnt_.find(endpoint->key); learnt != learnt_.end()) {
    endpoint->distrusted = learnt->second.distrusted;
    endpoint->idle_max = std::min(endpoint->idle_max, learnt->second.idle_max);
    endpoint->circuit = learnt->second.circuit;
    endpoint->last_failure = learnt->second.last_failure;
  }
  if (webhook.destination.tls && !webhook.is_listener) {
    endpoint->tls = tls_for(*endpoint, webhook);
  }
  return *endpoint;
}

/// Null if the webhook's CA cannot be read.
std::unique_ptr<net::ClientTls> Dispatcher::tls_for(const Endpoint& endpoint,
                                                    const subscription::Webhook& webhook) {
  if (auto kept = kept_tls_.extract(endpoint.key)) return std::move(kept.mapped());
  auto tls = net::ClientTls::create(
      {.verify = webhook.tls_verify, .ca_pem = webhook.tls_ca, .roots = roots_.get()});
  return tls ? std::move(*tls) : nullptr;
}

/// The endpoint is not used any more; its receiver may have given us tickets for the next time.
void Dispatcher::keep_tls(Endpoint& endpoint) {
  if (endpoint.tls == nullptr || !endpoint.tls->remembers()) return;
  if (kept_tls_.size() >= limits_.tls_kept_max) kept_tls_.erase(kept_tls_.begin());
  kept_tls_[endpoint.key] = std::move(endpoint.tls);
}

/// Puts the target into the round, unless it is there or waits for its endpoint, for room or for a
/// time.
void Dispatcher::activate(Target& target) {
  if (target.active_link.linked() || target.ready.empty() || target.pace_timer.armed()) return;
  round_.push_back(target);
}

void Dispatcher::release(Endpoint& endpoint) {
  while (!endpoint.blocked.empty()) activate(endpoint.blocked.pop_front());
}

/// Some of those that wait for room: more than can have come free, since not each of them may use
/// it; not all, since they may be thousands.
void Dispatcher::release_held() {
  for (uint32_t count = 0; count < held_released && !held_.empty(); ++count) {
    if (Target* target = held_.pop_front()) activate(*target);
  }
}

void Dispatcher::release_all_held() {
  while (!held_.empty()) {
    if (Target* target = held_.pop_front()) activate(*target);
  }
}

// --- the round -----------------------------------------------------------------------------------

void Dispatcher::turn() {
  go_on_with_rested();
  connects_left_ = limits_.connects_per_turn_max;
  for (uint32_t picks = 0; picks < limits_.attempts_per_turn_max && may_pick(); ++picks) {
    if (Target* target = round_.pop_front()) pick(*target);
  }
  go_on_cancelling();
  ++turn_number_;
}

/// The connections that were to rest for a turn.
void Dispatcher::go_on_with_rested() {
  IntrusiveList<Connection, &Connection::idle_link> rested;
  while (!resting_.empty()) rested.push_back(resting_.pop_front());
  while (!rested.empty()) rested.pop_front().go_on();
}

/// Starts one delivery of `target`, which is in no list now, and puts it back into the round if it
/// has more to do.
void Dispatcher::pick(Target& target) {
  if (target.ready.empty()) return;
  if (!refresh(target)) return cancel(target.webhook_number);
  if (target.in_flight >= target.places()) return;  // Until one of them is settled.
  if (!may_start(target) || !circuits_admit(target)) return;
  const ReadyQueue::Place next = target.ready.next(target.places(), target.retries_in_flight);
  if (target.supersession != nullptr && drop_left(target, next)) return;
  const bool enquiry = next.delivery != nullptr && next.delivery->enquiry;
  if (enquiry && (target.standing == nullptr || target.standing->permitted)) {
    discard(*next.delivery);
    return;
  }
  if (!has_share(target)) return held_.push_back(target);
  if (!find_connection(target)) return activate(target);  // It may wait for one by now.
  if (enquiry || find_event(next)) {
    if (!enquiry && !has_room_for_bytes(target, next)) return held_.push_back(target);
    Delivery& delivery = take(target, next);
    const bool pointless =
        target.supersession != nullptr && !enquiry &&
        is_superseded(target, delivery.event->view(), {delivery.id, delivery.event_position});
    if (pointless) return drop(delivery);
    start(delivery);
  } else if (may_load()) {
    load(take(target, next));
  } else {
    return held_.push_back(target);
  }
  activate(target);
}

/// Whether what all share has room for an attempt of the target. A part of it is for webhooks in
/// good standing; and an organization may have four times what is left, so that there is always
/// something left for the next one (dynamic thresholds: Choudhury and Hahne, 1998).
bool Dispatcher::has_share(const Target& target) const {
  const uint32_t limit = in_flight_limit();
  const uint32_t reserve = limit / limits_.reserve_divisor;
  if (!target.conduct.good && others_in_flight_ >= limit - reserve) return false;
  const uint64_t left = limit - in_flight_;
  return target.organization->in_flight < 4 * left;
}

/// Whether an attempt can have a connection now, a kept one or a new one; if not, the target waits
/// for one, or for the next turn.
bool Dispatcher::find_connection(Target& target) {
  Endpoint& endpoint = *target.endpoint;
  if (!endpoint.idle.empty()) return true;
  if (endpoint.is_listener) {
    if (listening_.contains(target.webhook_number)) return true;
    endpoint.blocked.push_back(target);
    return false;
  }
  if (endpoint.connection_count >= limits_.connections_per_endpoint_max) {
    endpoint.blocked.push_back(target);
    return false;
  }
  if (shortage_timer_.armed() || connection_count_ >= limits_.connections_max) {
    if (!spare_.empty()) spare_.front().retire();  // Makes room once it is closed.
    held_.push_back(target);
    return false;
  }
  const uint32_t reserve =
      target.conduct.good ? 0 : limits_.connects_per_turn_max / limits_.reserve_divisor;
  return connects_left_ > reserve;
}

void Dispatcher::take_place(Delivery& delivery) {
  Target& target = *delivery.target;
  delivery.retry_place = delivery.attempts > 0;
  delivery.good_place = target.conduct.good;
  delivery.place_bytes =
      delivery.event ? static_cast<uint32_t>(delivery.event->record().size()) : 0;
  ++target.in_flight;
  ++target.organization->in_flight;
  ++in_flight_;
  bytes_in_flight_ += delivery.place_bytes;
  if (delivery.retry_place) ++target.retries_in_flight;
  if (!delivery.good_place) ++others_in_flight_;
}

void Dispatcher::leave_place(Delivery& delivery) {
  Target& target = *delivery.target;
  RINGPOST_ASSERT(bytes_in_flight_ >= delivery.place_bytes);
  RINGPOST_ASSERT(target.in_flight > 0 && target.organization->in_flight > 0 && in_flight_ > 0);
  RINGPOST_ASSERT(!delivery.retry_place || target.retries_in_flight > 0);
  RINGPOST_ASSERT(delivery.good_place || others_in_flight_ > 0);
  --target.in_flight;
  --target.organization->in_flight;
  --in_flight_;
  bytes_in_flight_ -= delivery.place_bytes;
  if (delivery.retry_place) --target.retries_in_flight;
  if (!delivery.good_place) --others_in_flight_;
  release_held();
}

/// @returns false if the target waits: for the time of its next start, for the answer to the one
/// question whether it may be sent anything, or for what the first attempt after a pause meets.
bool Dispatcher::may_start(Target& target) {
  if (target.standing == nullptr) return true;
  const Standing& standing = *target.standing;
  if (standing.question != 0 || standing.trial == Standing::Trial::under_way) return false;
  const Duration wait = standing.next() - ring_.now();
  if (wait <= Duration::zero()) return true;
  ring_.arm<&Target::on_pace_due>(target, target.pace_timer, wait);
  return false;
}

void Standing::on_start(Instant now, Duration credit_max) {
  const Duration interval = std::max(own_interval, allowed_interval);
  if (interval > Duration::zero()) next_start = std::max(next_start, now - credit_max) + interval;
}

void Dispatcher::start(Delivery& delivery) {
  Target& target = *delivery.target;
  Endpoint& endpoint = *target.endpoint;
  uint64_t question = 0;
  bool trial = false;
  if (Standing* standing = target.standing) {
    standing->on_start(ring_.now(), limits_.pace_credit_max);
    if (!standing->permitted) question = standing->question = next_ticket_++;
    trial = standing->trial == Standing::Trial::due;
    if (trial) standing->trial = Standing::Trial::under_way;
  }
  const bool probes_webhook = target.conduct.circuit.on_start();
  const bool probes_endpoint = endpoint.idle.empty() && endpoint.circuit.on_start();
  RINGPOST_ASSERT(!delivery.ready_link.linked());
  RINGPOST_ASSERT(delivery.enquiry || delivery.event);
  delivery.state = Delivery::State::in_flight;
  take_place(delivery);
  ++delivery.attempts;
  if (!delivery.enquiry) counters_.add(Counter::attempts_started);
  counters_.add(Counter::deliveries_in_flight);
  const Attempt attempt{.delivery = &delivery,
                        .endpoint = &endpoint,
                        .renderer = target.renderer,
                        .started_at = ring_.wall_now(),
                        .started = ring_.now(),
                        .deadline = ring_.now() + target.timeout,
                        .question = question,
                        .trial = trial,
                        .webhook = target.version(),
                        .probes_webhook = probes_webhook,
                        .probes_endpoint = probes_endpoint};
  if (!delivery.enquiry) note_start(delivery, attempt);
  if (!endpoint.idle.empty()) return endpoint.idle.front().begin(attempt);
  if (endpoint.is_listener) return begin_listened(attempt);
  --connects_left_;
  open_connection(endpoint, attempt);
}

/// After a crash the log has to know of this attempt.
void Dispatcher::note_start(Delivery& delivery, const Attempt& attempt) {
  if (!start_may_wait(delivery)) {
    delivery.start_recorded = true;
    return record_start(*delivery.target, delivery.as_waiting(), attempt.started_at,
                        journal::Urgency::now);
  }
  delivery.started = attempt.started;
  unrecorded_.push_back(delivery);
  if (start_timer_.armed()) return;
  ring_.arm<&Dispatcher::on_start_due>(*this, start_timer_, limits_.outcome_delay);
}

/// The first attempt for an event that has only just come needs no record if it ends soon: a start
/// of the relay takes for begun what came right before a crash (journal/README.md).
bool Dispatcher::start_may_wait(const Delivery& delivery) const {
  const Duration age = ring_.wall_now() - delivery.id.time();
  return delivery.attempts == 1 && age >= Duration::zero() && age <= limits_.outcome_delay;
}

void Dispatcher::record_start(const Target& target, const Waiting& waiting, WallTime started_at,
                              journal::Urgency urgency) {
  host_.record(OutcomeView{.delivery = waiting.id,
                           .event = waiting.event(),
                           .webhook_number = target.webhook_number,
                           .attempt = waiting.attempts,
                           .status = DeliveryStatus::in_flight,
                           .started_at = started_at},
               urgency);
}

void Dispatcher::on_start_due() {
  while (!unrecorded_.empty()) {
    const Delivery& first = unrecorded_.front();
    const Duration left = limits_.outcome_delay - (ring_.now() - first.started);
    if (left > Duration::zero()) {
      return ring_.arm<&Dispatcher::on_start_due>(*this, start_timer_, left);
    }
    record_first_start();
  }
}

void Dispatcher::record_first_start() {
  Delivery& delivery = unrecorded_.pop_front();
  delivery.start_recorded = true;
  const WallTime started_at = ring_.wall_now() - (ring_.now() - delivery.started);
  record_start(*delivery.target, delivery.as_waiting(), started_at, journal::Urgency::may_wait);
}

void Dispatcher::open_connection(Endpoint& endpoint, const Attempt& attempt) {
  auto* connection = new Connection(*this, endpoint);
  connections_.push_back(*connection);
  ++endpoint.connection_count;
  counters_.set(Counter::delivery_connections, ++connection_count_);
  connection->begin(attempt);
}

std::optional<Error> Dispatcher::render(const Attempt& attempt, dialect::Request& request) const {
  const Delivery& delivery = *attempt.delivery;
  if (delivery.enquiry) return Error{Errc::cancelled};  // The permission was all that it wanted.
  char trace_parent[http::TraceContext::text_size];
  if (trace_ratio_) {
    http::TraceContext context = dialect::trace_of(delivery.event->view(), *trace_ratio_).context;
    context.span = dialect::attempt_span(delivery.id, delivery.attempts);
    http::write_trace_parent(context, trace_parent);
  }
  return attempt.renderer->render(
      {.event = delivery.event->view(),
       .delivery = delivery.id,
       .attempt = delivery.attempts,
       .now = ring_.wall_now(),
       .origin = origin_,
       .trace_parent = {trace_parent, trace_ratio_ ? sizeof trace_parent : 0}},
      request);
}

void Dispatcher::on_permission(const Attempt& attempt, Duration interval, Instant first) {
  Target& target = *attempt.delivery->target;
  Standing* standing = target.standing;
  if (standing == nullptr || standing->question != attempt.question) return;  // Changed meanwhile.
  standing->question = 0;
  standing->permitted = true;
  standing->allowed_interval = interval;
  standing->next_start =
      std::max(standing->next_start, first + std::max(standing->own_interval, interval));
  host_.on_permission(attempt.webhook, std::nullopt);
  activate(target);
}

void Dispatcher::on_changed(uint32_t webhook_number) {
  const auto found = targets_.find(webhook_number);
  if (found == targets_.end()) return;
  Target& target = *found->second;
  target.active_link.unlink();  // Whatever it waits for.
  hasten(target);
  activate(target);
}

void Dispatcher::enquire(uint32_t webhook_number) {
  if (stopping_) return;
  const subscription::Webhook* webhook = host_.snapshot().webhook(webhook_number);
  if (webhook == nullptr || !webhook->active() || !asks_first(*webhook)) return;
  Target& target = target_for(webhook_number);
  auto* enquiry = new Delivery;
  enquiry->enquiry = true;
  enquiry->target = &target;
  target.members.push_back(*enquiry);
  make_first(*enquiry);
}

/// The end of a delivery that was none.
void Dispatcher::discard(Delivery& enquiry) {
  Target& target = *enquiry.target;
  delete &enquiry;
  activate(target);
  forget_if_unused(target);
}

void Dispatcher::repeat(const Attempt& attempt, Endpoint& endpoint) {
  open_connection(endpoint, attempt);
}

/// A dead letter without a further attempt.
void Dispatcher::give_up(Delivery& delivery, const Error& error) {
  host_.record(OutcomeView{.delivery = delivery.id,
                           .event = delivery.event_position,
                           .webhook_number = delivery.target->webhook_number,
                           .attempt = delivery.attempts,
                           .status = DeliveryStatus::dead,
                           .started_at = ring_.wall_now(),
                           .failed = true,
                           .error = error},
               journal::Urgency::may_wait);
  finish(delivery, DeliveryStatus::dead);
}

/// What was sent goes on record if it was not the event's data as it stands there.
void Dispatcher::put_request_body(const dialect::Request& request, OutcomeView& outcome) const {
  if (!request.body_is_made) return;
  outcome.request_made = true;
  const bool masked = !request.logged_body.empty();
  const Bytes body = as_bytes(masked ? request.logged_body : request.made_body);
  outcome.request_truncated = body.size() > limits_.response_body_bytes_max;
  outcome.request_body = body.first(std::min<size_t>(body.size(), limits_.response_body_bytes_max));
}

/// A relay says so of an event that has come round: it will the next time (RFC 5842, 7.2).
constexpr uint16_t loop_detected = 508;

bool Dispatcher::retries(const Target& target, const AttemptResult& result) const {
  if (!retryable(result.error->code)) return false;
  if (result.error->code != Errc::bad_status) return true;
  if (result.http_status == loop_detected) return false;
  return target.dialect->retries_status(result.http_status);
}

namespace {

/// Something is short on this machine: descriptors, memory, a limit of our own. No receiver's
/// fault, and no attempt.
bool short_here(const AttemptResult& result) {
  return result.error && result.error->code == Errc::overloaded && result.error->side == Side::self;
}

}  // namespace

// --- ends ----------------------------------------------------------------------------------------

void Dispatcher::settle(const Attempt& attempt, const AttemptResult& result) {
  RINGPOST_ASSERT(attempt.delivery != nullptr);
  RINGPOST_ASSERT(attempt.delivery->state == Delivery::State::in_flight);
  Delivery& delivery = *attempt.delivery;
  leave_flight(attempt, result);
  learn(attempt, result);
  if (short_here(result) && !delivery.enquiry) return put_back(delivery, !result.name_unasked);
  const Verdict verdict = judge(attempt, result);
  if (verdict.status != DeliveryStatus::cancelled)
    heed_pause(attempt, result.http_status, result.retry_after);
  if (delivery.enquiry) return discard(delivery);
  record(attempt, result, verdict);
  if (result.gone()) host_.on_endpoint_gone(attempt.webhook);
  verdict.delay ? wait(delivery, *verdict.delay) : finish(delivery, verdict.status);
}

/// The attempt's places are free, and what it had asked for the others is over.
void Dispatcher::leave_flight(const Attempt& attempt, const AttemptResult& result) {
  Delivery& delivery = *attempt.delivery;
  Target& target = *delivery.target;
  delivery.ready_link.unlink();  // Its end says that it began.
  leave_place(delivery);
  counters_.subtract(Counter::deliveries_in_flight);
  if (!delivery.enquiry && !short_here(result)) count_end(delivery, result);
  Standing* standing = target.standing;
  if (standing == nullptr) return;
  if (attempt.question != 0 && standing->question == attempt.question) {
    standing->question = 0;  // No permission: the next attempt asks again.
    host_.on_permission(attempt.webhook, result.error);
  }
  if (attempt.trial) standing->trial = Standing::Trial::none;
}

/// It goes on after a moment as if it had not begun: its start is taken back, in the journal too.
/// @param for_descriptors  they, or memory, may be short, so that no connection can be opened.
void Dispatcher::put_back(Delivery& delivery, bool for_descriptors) {
  counters_.add(Counter::attempts_put_back);
  if (for_descriptors && !spare_.empty()) spare_.front().retire();
  --delivery.attempts;
  const auto most = static_cast<uint64_t>(limits_.shortage_pause.count());
  const Duration pause =
      limits_.shortage_pause + Duration{static_cast<int64_t>(ring_.random().below(most))};
  if (delivery.start_recorded) {
    host_.record(OutcomeView{.delivery = delivery.id,
                             .event = delivery.event_position,
                             .webhook_number = delivery.target->webhook_number,
                             .status = DeliveryStatus::pending,
                             .started_at = ring_.wall_now(),
                             .next_attempt_at = ring_.wall_now() + pause},
                 journal::Urgency::may_wait);
  }
  wait(delivery, pause);
  if (!for_descriptors || shortage_timer_.armed()) return;
  ring_.arm<&Dispatcher::on_shortage_over>(*this, shortage_timer_, limits_.shortage_pause);
}

void Dispatcher::on_shortage_over() {
  release_all_held();
}

namespace {

Counter counter_of_status(uint16_t http_status) {
  switch (http_status / 100) {
    case 3: return Counter::attempts_redirected;
    case 4: return Counter::attempts_client_error;
    case 5: return Counter::attempts_server_error;
    default: return Counter::attempts_bad_answer;
  }
}

/// Which of the results in `GET /metrics` it is.
Counter counter_of(const AttemptResult& result) {
  if (!result.error) return Counter::attempts_succeeded;
  switch (result.error->code) {
    case Errc::bad_status: return counter_of_status(result.http_status);
    case Errc::malformed:
    case Errc::too_large:
    case Errc::closed: return Counter::attempts_bad_answer;
    case Errc::timed_out: return Counter::attempts_timed_out;
    case Errc::refused:
    case Errc::unreachable:
    case Errc::reset: return Counter::attempts_connection_failed;
    case Errc::tls_failed:
    case Errc::certificate_invalid: return Counter::attempts_tls_failed;
    case Errc::name_unresolved:
    case Errc::name_timed_out: return Counter::attempts_name_unresolved;
    case Errc::destination_denied: return Counter::attempts_denied;
    case Errc::cancelled:
    case Errc::overloaded:
    case Errc::out_of_space:
    case Errc::corrupt:
    case Errc::io_failed:
    case Errc::not_found:
    case Errc::conflict:
    case Errc::locked:
    case Errc::unauthenticated:
    case Errc::not_permitted:
    case Errc::unsupported:
    case Errc::not_renderable:
    case Errc::origin_refused: return Counter::attempts_failed_otherwise;
  }
  RINGPOST_UNREACHABLE();
}

}  // namespace

void Dispatcher::count_end(const Delivery& delivery, const AttemptResult& result) {
  counters_.add(counter_of(result));
  if (result.error) {
    counters_.add(Counter::attempts_failed);
  } else if (delivery.attempts == 1) {
    counters_.delivery_latency.record(ring_.wall_now() - delivery.event->view().accepted_at);
  }
}

/// Whatever the dialect. One attempt goes first when the pause is over.
void Dispatcher::heed_pause(const Attempt& attempt, uint16_t http_status,
                            std::optional<Duration> retry_after) {
  if (!may_pause(http_status) || retry_after.value_or(Duration::zero()) == Duration::zero()) return;
  Target& target = *attempt.delivery->target;
  const subscription::Webhook* webhook = host_.snapshot().webhook(target.webhook_number);
  const bool changed = webhook == nullptr || webhook->updated_at != target.webhook_updated_at ||
                       attempt.renderer != target.renderer;
  if (changed) return;  // It may lead to somebody else now.
  Standing& standing = standings_[target.webhook_number];
  target.standing = &standing;
  standing.webhook_updated_at = target.webhook_updated_at;
  standing.url = webhook->destination.url;
  standing.paused_until = std::max(standing.paused_until, ring_.now() + *retry_after);
  standing.trial = Standing::Trial::due;
  host_.on_receiver_paused(attempt.webhook,
                           ring_.wall_now() + (standing.paused_until - ring_.now()));
}

/// What was final for the receiver of before, or what it asked for, is not for the next attempt,
/// which goes where the webhook leads now.
Dispatcher::Verdict Dispatcher::judge(const Attempt& attempt, const AttemptResult& result) {
  if (!result.error) return {DeliveryStatus::delivered, std::nullopt};
  const Delivery& delivery = *attempt.delivery;
  const Target& target = *delivery.target;
  const subscription::Webhook* webhook = host_.snapshot().webhook(target.webhook_number);
  if (webhook == nullptr || !webhook->active()) return {DeliveryStatus::cancelled, std::nullopt};
  const bool pointless = target.supersession && target.supersession->is_superseded(delivery.id);
  if (pointless) return {DeliveryStatus::cancelled, std::nullopt};
  const bool current = webhook->updated_at == attempt.webhook.updated_at;
  const bool is_final = result.gone() || !retries(target, result);
  if (current && is_final) return {DeliveryStatus::dead, std::nullopt};
  const auto delay = next_delay(target.schedule_s, delivery.attempts,
                                current ? result.retry_after : std::nullopt, ring_.random());
  return {delay ? DeliveryStatus::pending : DeliveryStatus::dead, delay};
}

void Dispatcher::record(const Attempt& attempt, const AttemptResult& result,
                        const Verdict& verdict) {
  const Delivery& delivery = *attempt.delivery;
  OutcomeView outcome{.delivery = delivery.id,
                      .event = delivery.event_position,
                      .webhook_number = delivery.target->webhook_number,
                      .attempt = delivery.attempts,
                      .status = verdict.status,
                      .started_at = attempt.started_at,
                      .duration = ring_.now() - attempt.started,
                      .failed = result.error.has_value(),
                      .error = result.error.value_or(Error{}),
                      .http_status = result.http_status,
                      .response_truncated = result.response_truncated,
                      .response_note = result.response_note,
                      .response_head = result.response_head,
                      .response_body = result.response_body,
                      .tls = result.tls,
                      .connection = result.connection};
  if (verdict.delay) outcome.next_attempt_at = ring_.wall_now() + *verdict.delay;
  std::string masked;
  if (result.request != nullptr) {
    masked = attempt.renderer->masked(result.request->head);
    outcome.request_head = masked;
    put_request_body(*result.request, outcome);
  }
  host_.record(outcome, journal::Urgency::may_wait);
  if (!trace_ratio_ || !delivery.event) return;
  const dialect::EventTrace trace = dialect::trace_of(delivery.event->view(), *trace_ratio_);
  if (trace.context.sampled) host_.on_attempt_traced(outcome, delivery.event);
}

void Dispatcher::finish(Delivery& delivery, DeliveryStatus status) {
  Target& target = *delivery.target;
  let_go(delivery);
  if (target.supersession != nullptr) target.supersession->on_end(delivery.id);
  delete &delivery;
  count_out(target.organization->key, target.webhook_number, status);
  activate(target);
  forget_if_unused(target);
}

void Dispatcher::forget_if_unused(Target& target) {
  if (!target.unused()) return;
  if (target.endpoint != nullptr) return tidy(*target.endpoint);
  forget(target);  // Never used: nothing else knows of it.
}

void Dispatcher::cancel(uint32_t webhook_number) {
  standings_.erase(webhook_number);
  conducts_.erase(webhook_number);
  const auto found = targets_.find(webhook_number);
  if (found == targets_.end()) return;
  Target& target = *found->second;
  target.standing = nullptr;
  target.webhook_updated_at = {};  // Should it come back, it is looked at anew.
  cancel_waiting(target);
  std::vector<Delivery*> open;
  target.members.for_each([&](Delivery& delivery) {
    if (delivery.state != Delivery::State::in_flight) open.push_back(&delivery);
  });
  if (open.empty()) return forget_if_unused(target);
  for (Delivery* delivery : open) cancel(*delivery);
}

void Dispatcher::cancel(Delivery& delivery) {
  if (delivery.enquiry) return discard(delivery);
  if (delivery.state == Delivery::State::loading) {
    loading_.erase(delivery.ticket);
    leave_place(delivery);
  }
  record_cancelled(delivery.target->webhook_number, delivery.id, delivery.event_position);
  finish(delivery, DeliveryStatus::cancelled);
}

void Dispatcher::record_cancelled(uint32_t webhook_number, const Ulid& id, journal::Position event,
                                  Withdrawal reason) {
  host_.record(
      OutcomeView{.delivery = id,
                  .event = event,
                  .webhook_number = webhook_number,
                  .attempt = 0,
                  .status = DeliveryStatus::cancelled,
                  .started_at = ring_.wall_now(),
                  .failed = reason != Withdrawal{},
                  .error = {Errc::cancelled, Side::producer, static_cast<int32_t>(reason)}},
      journal::Urgency::may_wait);
}

// --- connections ---------------------------------------------------------------------------------

void Dispatcher::on_connection_idle(Connection& connection) {
  spare_.push_back(connection);
  release(connection.endpoint());
  release_held();
}

Endpoint::Learnt& Dispatcher::learnt_of(Endpoint& endpoint) {
  const bool full = learnt_.size() >= limits_.endpoints_learnt_max;
  if (full && !learnt_.contains(endpoint.key)) learnt_.erase(learnt_.begin());
  return learnt_[endpoint.key];
}

void Dispatcher::limit_idle_time(Endpoint& endpoint, Duration idle_max) {
  if (idle_max >= endpoint.idle_max) return;
  endpoint.idle_max = learnt_of(endpoint).idle_max = idle_max;
}

void Dispatcher::distrust(Endpoint& endpoint) {
  if (std::exchange(endpoint.distrusted, true)) return;
  learnt_of(endpoint).distrusted = true;
  while (!endpoint.idle.empty()) endpoint.idle.front().retire();
  while (!endpoint.proving.empty()) endpoint.proving.front().retire();
}

void Dispatcher::on_connection_closed(Connection& connection) {
  Endpoint& endpoint = connection.endpoint();
  connection.member_link.unlink();
  --endpoint.connection_count;
  counters_.set(Counter::delivery_connections, --connection_count_);
  release(endpoint);
  release_held();
  delete &connection;
  tidy(endpoint);
}

/// Forgets an endpoint that has neither connections nor deliveries, and its webhooks' targets: what
/// is kept follows what is used, not what was ever used.
void Dispatcher::tidy(Endpoint& endpoint) {
  if (endpoint.connection_count > 0) return;
  std::vector<Target*> unused;
  bool used = false;
  endpoint.targets.for_each([&](Target& target) {
    if (target.unused()) {
      unused.push_back(&target);
    } else {
      used = true;
    }
  });
  for (Target* target : unused) forget(*target);
  if (used) return;
  // Dead endpoints may be many: they do not displace what was learnt of others.
  const bool room = learnt_.size() < limits_.endpoints_learnt_max;
  if (learnt_.contains(endpoint.key) || (endpoint.circuit.failures() > 0 && room)) {
    Endpoint::Learnt& learnt = learnt_of(endpoint);
    learnt.circuit = endpoint.circuit;
    learnt.last_failure = endpoint.last_failure;
  }
  keep_tls(endpoint);
  ring_.disarm(endpoint.probe_timer);
  endpoints_.erase(std::string{endpoint.key});
}

void Dispatcher::stop() {
  stopping_ = true;
  std::vector<Connection*> idle;
  std::vector<Connection*> asking;
  connections_.for_each([&](Connection& connection) {
    if (connection.step() == Connection::Step::idle) idle.push_back(&connection);
    if (connection.step() == Connection::Step::ask) asking.push_back(&connection);
  });
  for (Connection* connection : idle) connection->retire();
  for (Connection* connection : asking) connection->stop_asking();
}

void Dispatcher::abort() {
  RINGPOST_ASSERT(stopping_);
  aborted_ = true;
  while (!unrecorded_.empty()) record_first_start();  // Their ends will not come.
  connections_.for_each([](Connection& connection) { connection.abort(); });
  while (!listened_.empty()) {
    listened_.front().abort();
    on_listened_over(listened_.front());
  }
}

}  // namespace ringpost::delivery
