#include "shard/shard.h"

#include "base/json_writer.h"
#include "base/log.h"
#include "console/site.h"
#include "control/streams.h"
#include "dialect/dialect.h"
#include "http/content_coding.h"
#include "http/problem.h"
#include "http/syntax.h"
#include "ingest/refusal.h"
#include "shard/routes.h"

#include <algorithm>
#include <utility>

namespace ringpost::shard {
namespace {

constexpr uint64_t api_body_bytes_max = 1u << 20;

/// News for the history may lie this long before the control thread is woken for it: at load one
/// wake-up then serves thousands of messages. Requests of people wake it at once, and it reads all
/// news before it answers.
constexpr Duration news_delay_max = std::chrono::milliseconds{20};

/// For requests that find the relay with too much to do.
constexpr uint32_t retry_after_s = 5;

/// For events of who has too many deliveries pending: it takes a while until some have ended.
constexpr uint32_t share_retry_after_s = 30;

/// What an event takes, ordinarily: with less room than this, none is taken.
constexpr uint64_t event_bytes_usual = 4 * 1024;

/// How often the log says that ids are forgotten early.
constexpr Duration forgotten_log_interval = std::chrono::hours{1};

/// What an end takes of a segment at most, beside others in its block.
constexpr uint64_t end_bytes = 2 * journal::record_span(journal::bare_outcome_bytes);
/// On a full disk, how long ends wait for others to share their page with: a page each would soon
/// use up what is kept for them. A crash repeats as many deliveries.
constexpr Duration ends_delay = std::chrono::seconds{1};

/// What the end of an attempt takes with request and answer, ordinarily. A larger one that finds
/// no room goes on record without them.
constexpr uint64_t outcome_bytes_usual = 20 * 1024;

}  // namespace

Shard::Shard(const Parts& parts, const ShardOptions& options)
    : index_(parts.index),
      ring_(parts.ring),
      reader_(parts.reader),
      mailroom_(parts.mailroom),
      all_counters_(parts.counters),
      counters_(parts.counters[parts.index]),
      pending_counts_(parts.pending_counts),
      settings_in_force_(parts.settings),
      window_(parts.window),
      places_(parts.places),
      settings_(parts.settings.get()),
      writer_(parts.ring, counters_, *this, options.journal),
      extents_(parts.ring, *this, {.directory_id = options.journal.directory_id}),
      log_(writer_),
      server_(parts.ring, counters_, *this, settings_->server),
      intake_({.ring = parts.ring,
               .counters = counters_,
               .log = log_,
               .window = parts.window,
               .answers = *this,
               .sink = *this},
              {.limits = settings_->event_limits,
               .token_hash_keys = options.token_hash_keys,
               .ids_after = options.ids_after}),
      dispatcher_({.ring = parts.ring,
                   .resolver = parts.resolver,
                   .policy = settings_->policy,
                   .counters = counters_,
                   .host = *this,
                   .pending_counts = parts.pending_counts[parts.index],
                   .origin = settings_->origin,
                   .roots = settings_->roots,
                   .trace_ratio = settings_->trace_ratio},
                  settings_->delivery),
      client_(parts.ring, parts.resolver, settings_->policy, settings_->roots),
      webhooks_by_shard_(parts.mailroom.shard_count()) {
  reader_.online();
}

Result<io::Address> Shard::listen(size_t listener, ingest::Server::ListenerOptions options) {
  options.tls = settings_->certificate(listener);
  const auto bound = server_.listen(options);
  if (bound) listeners_.push_back(listener);
  return bound;
}

Shard::~Shard() {
  reader_.offline();
}

// --- the loop ------------------------------------------------------------------------------------

void Shard::turn(bool may_sleep) {
  ring_.turn(may_sleep && !busy());
  read_messages();
  hand_over_events();
  intake_.turn(snapshot());
  dispatcher_.turn();
  keep_room();
  note_journal_room();
  note_forgotten_ids();
  note_ring();
  if (drained() && !std::exchange(sealed_, true)) writer_.seal();
  commit();
  flush_messages();
  reader_.quiescent();
}

void Shard::check() {
  dispatcher_.check();
  for (const auto& numbers : webhooks_by_shard_) RINGPOST_ASSERT(numbers.empty());
  journal::Position before{};
  for (const control::OutcomeRecorded& outcome : outcomes_) {
    if (!outcome.position.valid()) continue;
    RINGPOST_ASSERT(outcome.position.packed > before.packed);
    before = outcome.position;
  }
}

/// For the ends of all that is pending, and for as many attempts as may be in flight after the next
/// turn.
void Shard::keep_room() {
  const uint64_t pending = dispatcher_.pending_count();
  const uint64_t in_flight = dispatcher_.in_flight_count();
  const uint64_t attempts = std::min<uint64_t>(pending, 2 * in_flight + 64);
  writer_.keep_for_ends(pending * end_bytes);
  writer_.expect_outcomes(attempts * outcome_bytes_usual);
}

/// Whether events are refused for want of room: the next one of ordinary size, or the last that
/// came.
void Shard::note_journal_room() {
  if (!segments_delayed_) log_.note_room();
  counters_.set(Counter::journal_full, segments_delayed_ && !writer_.admit(1, event_bytes_usual));
  counters_.set(Counter::journal_short, segments_delayed_ && log_.is_short());
}

void Shard::note_ring() {
  const io::RingStatistics ring = ring_.statistics();
  counters_.set(Counter::ring_submissions, ring.submissions);
  counters_.set(Counter::ring_completions, ring.completions);
  counters_.set(Counter::ring_enters, ring.enters);
  counters_.set(Counter::ring_sleeps, ring.sleeps);
  counters_.set(Counter::ring_starvations, ring.starvations);
  counters_.set(Counter::ring_accept_pauses, ring.accept_pauses);
  counters_.set(Counter::ring_overflows, ring.overflows);
}

/// The window is shared by all shards: the first one tells.
void Shard::note_forgotten_ids() {
  if (index_ != 0) return;
  const uint64_t count = window_.forgotten_early();
  if (count == counters_.value(Counter::ids_forgotten_early)) return;
  counters_.set(Counter::ids_forgotten_early, count);
  if (forgotten_told_at_ && ring_.now() - *forgotten_told_at_ < forgotten_log_interval) return;
  forgotten_told_at_ = ring_.now();
  log_warning(
      "the ids of " + std::to_string(count) +
      " events were forgotten before ingest.idempotency_window was over, since the start: if a "
      "producer repeats one of these events, it is delivered again; raise "
      "ingest.idempotency_entries_max (40 bytes of memory for each id)");
}

void Shard::commit() {
  if (const auto delay = commit_delay(); delay && !commit_due_) {
    if (!commit_timer_.armed()) ring_.arm<&Shard::on_commit_due>(*this, commit_timer_, *delay);
    return;
  }
  commit_due_ = false;
  ring_.disarm(commit_timer_);
  writer_.commit();
}

/// How long what has been appended may wait for more; nothing: not at all.
std::optional<Duration> Shard::commit_delay() const {
  if (stopping_) return std::nullopt;
  if (segments_delayed_ && writer_.only_ends_wait()) return ends_delay;
  const Duration delay = settings_->delivery.outcome_delay;
  if (delay == Duration::zero() || !writer_.nothing_urgent_waits()) return std::nullopt;
  return delay;
}

bool Shard::busy() const {
  return intake_.has_work() || dispatcher_.has_work() || has_messages() || (drained() && !sealed_);
}

void Shard::stop() {
  stopping_ = true;
  server_.stop();
  dispatcher_.stop();
  client_.stop();
}

void Shard::hasten() {
  server_.stop();
  dispatcher_.abort();
}

/// Whether nothing can come any more that would have to be written down.
bool Shard::drained() const {
  return stopping_ && server_.stopped() && (intake_.idle() || storage_failed_) &&
         dispatcher_.stopped() && client_.idle();
}

bool Shard::stopped() const {
  return drained() && sealed_ && writer_.idle() && extents_.idle() && !behind();
}

// --- routes --------------------------------------------------------------------------------------

namespace {

bool takes_events(OwnOperation operation) {
  return operation == OwnOperation::events_accept || operation == OwnOperation::call_accept;
}

/// Signatures of git hosts are over the bytes as sent, and what the APIs take is small.
bool takes_gzip(OwnOperation operation) {
  return operation == OwnOperation::events_accept;
}

/// RFC 9110, 15.5.16; `refuse` adds which codings would do.
http::Problem encoded_body(OwnOperation operation) {
  return {.status = 415,
          .type = "urn:ringpost:unknown-content-encoding",
          .detail = takes_gzip(operation)
                        ? "Of compressed bodies only gzip is taken here: send `Content-Encoding: "
                          "gzip`, or the body as it is without this header."
                        : "No compressed bodies are taken here: send the body as it is, without "
                          "the header Content-Encoding.",
          .member = "Content-Encoding"};
}

}  // namespace

std::optional<http::Problem> Shard::before_body(const http::Request& head,
                                                const ingest::Origin& origin,
                                                ingest::BodyTerms& terms) {
  const OwnOperation operation = own_route(head.method, head.path, origin.serves).operation;
  const http::ContentCoding coding = http::content_coding(head);
  const bool is_taken = coding == http::ContentCoding::gzip && takes_gzip(operation);
  if (coding != http::ContentCoding::identity && !is_taken) return encoded_body(operation);
  if (takes_events(operation)) {
    if (auto problem = overloaded()) return problem;
    return operation == OwnOperation::events_accept
               ? intake_.before_body(head, origin.peer, snapshot(), terms)
               : intake_.before_call_body(head, snapshot(), terms);
  }
  terms.bytes_max = api_body_bytes_max;
  return std::nullopt;
}

/// Refusal is at the door: what was accepted is never dropped for want of room.
std::optional<http::Problem> Shard::overloaded() const {
  const auto refusal = [](std::string detail) {
    return http::Problem{.status = 503,
                         .type = "urn:ringpost:overloaded",
                         .title = "",
                         .detail = std::move(detail),
                         .line = {},
                         .member = "",
                         .retry_after_s = retry_after_s};
  };
  if (far_behind()) return refusal("the relay is catching up; try again in a moment");
  for (const Counters& shard : all_counters_) {
    // As its own intake says it: whoever asks is not to be told otherwise by another shard.
    for (const auto& [gauge, code] : {std::pair{Counter::storage_failed, Errc::io_failed},
                                      std::pair{Counter::journal_full, Errc::out_of_space}}) {
      if (shard.value(gauge) == 0) continue;
      return ingest::journal_refusal({code, Side::disk}, retry_after_s);
    }
    if (shard.value(Counter::deliveries_pending) >= settings_->delivery.pending_max) {
      return refusal("too many deliveries are pending (delivery.pending_max); try again later");
    }
  }
  return std::nullopt;
}

/// In the words of the API that the path belongs to, also where it is not asked any more.
http::Response Shard::refuse(const http::Request& head, const ingest::Origin& origin,
                             const http::Problem& problem) {
  const OwnOperation operation = own_route(head.method, head.path, origin.serves).operation;
  if (takes_events(operation)) {
    ingest::count_refusal(counters_, problem);  // The intake counts those that it sees whole.
  }
  const dialect::Dialect* api = origin.serves.api ? dialect::owner_of_path(head.path) : nullptr;
  http::Response response =
      api != nullptr ? api->refuse(problem) : ingest::refusal_response(problem);
  if (problem.status == 415 && http::content_coding(head) != http::ContentCoding::identity) {
    response.headers.push_back({"Accept-Encoding", takes_gzip(operation) ? "gzip" : "identity"});
  }
  return response;
}

void Shard::on_request(http::RequestHandle handle, std::unique_ptr<http::Request> request,
                       const ingest::Origin& origin) {
  const OwnRoute route = own_route(request->method, request->path, origin.serves);
  switch (route.operation) {
    case OwnOperation::events_accept:
      return intake_.on_request(handle, std::move(request), origin.peer, snapshot());
    case OwnOperation::call_accept: return intake_.on_call(handle, std::move(request), snapshot());
    case OwnOperation::health_show: return answer_health(handle, false);
    case OwnOperation::readiness_show: return answer_health(handle, true);
    case OwnOperation::wrong_method: {
      http::Response refused = http::problem_response(to_problem(route.wrong));
      refused.headers.push_back({"Allow", route.wrong.allow});
      return server_.answer(handle, refused);
    }
    case OwnOperation::none: break;
  }
  if (origin.serves.console) {
    if (const auto page = console::answer(*request)) return server_.answer(handle, *page);
  }
  const bool metrics = origin.serves.metrics && request->path == control::metrics_path;
  if (!origin.serves.api && !metrics) {
    return server_.answer(
        handle, http::problem_response({.status = 404,
                                        .type = "about:blank",
                                        .title = "",
                                        .detail = "this listener does not serve this path",
                                        .line = {},
                                        .member = ""}));
  }
  tell_control(control::ApiRequest{handle, std::move(request), origin.peer, origin.tls, metrics},
               true);
}

namespace {

/// In place of the index of a connection: an answer to a file of a drop directory, whose number is
/// added. The generation is the ticket.
constexpr uint32_t file_handles = 0x8000'0000;

bool is_file(http::RequestHandle handle) {
  return handle.index >= file_handles;
}

FileSettled settled(http::RequestHandle handle, const http::Response& response) {
  return {static_cast<uint16_t>(handle.index - file_handles), handle.generation, response};
}

}  // namespace

void Shard::answer(http::RequestHandle handle, const http::Response& response) {
  if (!is_file(handle)) return server_.answer(handle, response);
  mailroom_.files_settled(index_).send(settled(handle, response));
}

/// Files are not packed.
bool Shard::hold(http::RequestHandle handle, uint64_t bytes) {
  return !is_file(handle) && server_.hold(handle, bytes);
}

void Shard::drop(http::RequestHandle handle) {
  if (!is_file(handle)) return server_.drop(handle);
  mailroom_.files_settled(index_).send(settled(handle, {.status = 0, .headers = {}, .body = {}}));
}

/// More is to come only when there is room for it: a large piece makes some.
void Shard::on_pieces_taken(http::RequestHandle handle, uint64_t bytes) {
  tell_control(control::StreamTaken{handle, bytes}, bytes >= control::Streams::window_bytes / 2);
}

/// At once: its place may be wanted.
void Shard::on_answer_cut(http::RequestHandle handle) {
  tell_control(control::StreamGone{handle}, true);
}

/// Why events are refused at present, all or as the last one was; empty: they are taken.
std::string_view Shard::hindrance() const {
  const auto any = [this](Counter gauge) {
    return std::ranges::any_of(all_counters_,
                               [gauge](const Counters& shard) { return shard.value(gauge) != 0; });
  };
  if (any(Counter::storage_failed)) return "storage failed";
  if (any(Counter::journal_full) || any(Counter::journal_short)) return "disk full";
  if (stopping_) return "stopping";
  return overloaded() ? "overloaded" : "";
}

/// Healthy: the loop turns. Ready: events would be accepted.
void Shard::answer_health(http::RequestHandle handle, bool ready_wanted) {
  const std::string_view why = ready_wanted ? hindrance() : "";
  http::Response response;
  response.status = why.empty() ? 200 : 503;
  const std::string_view status = !ready_wanted ? "ok" : why.empty() ? "ready" : why;
  JsonWriter{response.body}.begin_object().member("status", status).end_object();
  server_.answer(handle, response);
}

// --- the journal ---------------------------------------------------------------------------------

void Shard::on_durable(journal::Position through) {
  if (mailroom_.written(index_).set(writer_.written())) mailroom_.wake_journal();
  intake_.on_durable(through);
  while (!outcomes_.empty() && outcomes_.front().position < through) {
    tell_control(outcomes_.front(), false);
    outcomes_.pop_front();
  }
}

void Shard::on_segment_wanted() {
  tell_control(control::SegmentWanted{}, true);
}

void Shard::on_segment_sealed(uint32_t number) {
  tell_control(control::SegmentSealed{number}, false);
}

void Shard::on_storage_failed(const Error& error) {
  if (storage_failed_) return;
  storage_failed_ = true;
  counters_.set(Counter::storage_failed, 1);
  log_error("journal/" + journal::journal_name(static_cast<uint16_t>(index_)) + "/" +
            journal::segment_name(writer_.failed_segment()) + ": a durable write failed: " +
            describe(error) + "; events are refused until a restart, deliveries continue");
  intake_.on_storage_failed(error);
  for (control::OutcomeRecorded& outcome : outcomes_) {  // They happened, on record or not.
    outcome.position = {};
    tell_control(outcome, false);
  }
  outcomes_.clear();
  tell_control(control::StorageFailed{error}, true);
}

// --- from durable event to delivery --------------------------------------------------------------

/// Who sends more than its receivers take is refused before it fills what all share.
std::optional<http::Problem> Shard::refuse_share(std::string_view organization,
                                                 std::span<const uint32_t> webhook_numbers,
                                                 uint64_t adding) {
  const auto over = subscription::over_share(pending_counts_, settings_->delivery.pending_max,
                                             organization, webhook_numbers, adding);
  if (!over) return std::nullopt;
  const subscription::Webhook* webhook = snapshot().webhook(over->webhook_number);
  const std::string id = webhook != nullptr ? webhook->id.to_text() : "";
  const std::string count = std::to_string(over->webhook_pending);
  const std::string of_webhook =
      over->webhook_pending == 0 ? "" : " (" + count + " of them for the webhook " + id + ")";
  const std::string why =
      over->whole_organization
          ? "The organization `" + std::string{organization} +
                "` may have no more: " + std::to_string(over->organization_pending) +
                " deliveries are pending" + of_webhook + ", and this request brings " +
                std::to_string(adding + webhook_numbers.size()) + " more"
          : count + " deliveries are pending for the webhook " + id + ", which may have no more";
  return ingest::share_refusal(
      why +
          " (a share of delivery.pending_max). Events are refused until some are delivered: mend "
          "the receiver that they wait for, or disable its webhook.",
      share_retry_after_s);
}

void Shard::on_event_durable(journal::EventRef event, bool by_hand) {
  const journal::EventView& view = event->view();
  const WallTime now = settings_->trace_ratio ? ring_.wall_now() : WallTime{};
  if (view.is_carried()) return tell_control(control::EventAccepted{event, now}, true);
  for (uint32_t index = 0; index < view.webhook_count(); ++index) {
    const uint32_t number = view.webhook_number(index);
    const subscription::Webhook* webhook = snapshot().webhook(number);
    // One that was deleted meanwhile is cancelled here, on the books.
    const uint32_t owner =
        webhook != nullptr ? subscription::owner_shard(*webhook, mailroom_.shard_count()) : index_;
    webhooks_by_shard_[owner].push_back(number);
  }
  tell_control(control::EventAccepted{event, now}, false);
  for (uint32_t owner = 0; owner < mailroom_.shard_count(); ++owner) {
    std::vector<uint32_t>& numbers = webhooks_by_shard_[owner];
    if (numbers.empty()) continue;
    if (owner == index_) {
      for (uint32_t number : numbers) dispatcher_.submit(event, number, by_hand);
    } else {
      mailroom_.between(index_, owner).send({event, numbers, by_hand});
    }
    numbers.clear();
  }
}

void Shard::take(const Deliver& message) {
  for (uint32_t number : message.webhook_numbers) {
    dispatcher_.submit(message.event, number, message.by_hand);
  }
}

void Shard::on_own_event_settled(uint64_t ticket, const Ulid& event_uid,
                                 std::optional<Error> error) {
  tell_control(control::StoreEventDone{.ticket = ticket,
                                       .failed = error.has_value(),
                                       .error = error.value_or(Error{}),
                                       .event_uid = event_uid},
               true);
}

// --- deliveries ----------------------------------------------------------------------------------

/// While a segment is on its way it is waited for, so that whole ends find room. When none is, less
/// has to do: the ends themselves.
bool Shard::has_room_for_attempt(uint32_t in_flight) const {
  if (storage_failed_) return true;  // Nothing can be written down any more; deliveries go on.
  const uint64_t room = writer_.room_bytes();
  const uint64_t attempts = uint64_t{in_flight} + 1;
  if (room < attempts * end_bytes) return false;
  if (segments_delayed_) return true;
  if (writer_.queue_full()) return false;
  return writer_.outcome_room_bytes() >= attempts * outcome_bytes_usual;
}

namespace {

/// More than the fields of an outcome take beside their contents.
constexpr uint64_t outcome_fields_bytes = 128;

/// Successes are many and alike. Of what failed the whole is recorded at its place: a restart reads
/// it, and so may people who have nothing else.
bool resembles_others(const journal::OutcomeView& outcome) {
  return outcome.status == journal::DeliveryStatus::delivered && !outcome.request_head.empty();
}

}  // namespace

Result<journal::Position> Shard::append(const journal::OutcomeView& outcome, journal::Claim claim,
                                        journal::Urgency urgency) {
  const bool whole = !resembles_others(outcome);
  const uint64_t bytes_most = journal::bare_outcome_bytes + outcome.request_head.size() +
                              outcome.request_body.size() + outcome.response_head.size() +
                              outcome.response_body.size() + outcome_fields_bytes;
  const journal::OutcomeBase base =
      whole ? journal::OutcomeBase{}
            : bases_.find(outcome.webhook_number, writer_.segment_for(bytes_most));
  record_.clear();
  journal::encode_outcome(outcome, record_, base);
  if (record_.size() > bytes_most) {  // It has nothing in common with its base.
    record_.clear();
    journal::encode_outcome(outcome, record_);
  }
  const auto position = writer_.append(journal::RecordType::outcome, record_, claim, urgency);
  if (position && !whole && base.offset == 0) {
    bases_.put(outcome.webhook_number, *position, journal::outcome_texts(outcome));
  }
  return position;
}

void Shard::record(const journal::OutcomeView& outcome, journal::Urgency urgency) {
  auto position = append(outcome, journal::Claim::ordinary, urgency);
  if (!position && journal::is_end(outcome.status)) {
    journal::OutcomeView bare = outcome;
    bare.request_head = bare.response_head = {};
    bare.response_truncated = !outcome.response_body.empty() || outcome.response_truncated;
    bare.response_body = bare.request_body = {};
    bare.tls = {};
    bare.connection = {};
    position = append(bare, journal::Claim::end, urgency);
    if (position) counters_.add(Counter::outcomes_bare);
    note_shortage();
  }
  tell_outcome(outcome, position, outcome.status);
}

/// @param status  of the delivery now.
void Shard::tell_outcome(const journal::OutcomeView& outcome, Result<journal::Position> position,
                         journal::DeliveryStatus status) {
  const control::OutcomeRecorded news{.delivery = outcome.delivery,
                                      .event = outcome.event,
                                      .position = position ? *position : journal::Position{},
                                      .webhook_number = outcome.webhook_number,
                                      .attempt = outcome.attempt,
                                      .status = status,
                                      .started_at = outcome.started_at,
                                      .next_attempt_at = outcome.next_attempt_at,
                                      .error = outcome.error,
                                      .failed = outcome.failed,
                                      .http_status = outcome.http_status,
                                      .duration = outcome.duration};
  if (!position) {
    counters_.add(Counter::outcomes_unrecorded);
    note_shortage();
    if (outcomes_.empty()) return tell_control(news, false);
  }
  outcomes_.push_back(news);  // Until it is durable: what people see survives a crash.
}

void Shard::on_attempt_traced(const journal::OutcomeView& outcome, const journal::EventRef& event) {
  const std::string_view head = outcome.request_head;
  auto traced = std::make_unique<control::AttemptTraced>(
      control::AttemptTraced{.event = event,
                             .delivery = outcome.delivery,
                             .webhook_number = outcome.webhook_number,
                             .attempt = outcome.attempt,
                             .status = outcome.status,
                             .started_at = outcome.started_at,
                             .duration = outcome.duration,
                             .error = outcome.failed ? std::optional{outcome.error} : std::nullopt,
                             .http_status = outcome.http_status,
                             .request_line = std::string{head.substr(0, head.find("\r\n"))},
                             .connection = outcome.connection});
  tell_control(std::move(traced), false);
}

/// An attempt that may have begun right before a crash goes on record as one that did, and was
/// interrupted (journal/README.md, "Attempts that left no record").
void Shard::restore(const delivery::PendingDelivery& pending) {
  dispatcher_.restore(pending);
  if (!pending.perhaps_begun) return;
  const journal::OutcomeView start{.delivery = pending.id,
                                   .event = pending.event,
                                   .webhook_number = pending.webhook_number,
                                   .attempt = pending.attempts + 1,
                                   .status = journal::DeliveryStatus::in_flight,
                                   .started_at = pending.id.time()};
  const auto position = append(start, journal::Claim::ordinary, journal::Urgency::may_wait);
  if (position) tell_outcome(start, position, journal::DeliveryStatus::pending);
}

/// Once for each time that room runs out.
void Shard::note_shortage() {
  if (storage_failed_ || std::exchange(shortage_noted_, true)) return;
  log_warning("journal " + std::to_string(index_) +
              " is short of space: final outcomes are stored without request and response, and "
              "retries are not stored, until there is room again (counters outcomes_bare and "
              "outcomes_unrecorded)");
}

void Shard::on_file_wanted(uint16_t journal, uint32_t segment) {
  mailroom_.file_orders(index_).send(
      FileOrder{.journal = journal, .segment = segment, .unused = {}});
}

void Shard::on_file_unused(io::File file) {
  mailroom_.file_orders(index_).send(FileOrder{.unused = file});
}

void Shard::on_receiver_paused(const subscription::WebhookVersion& webhook, WallTime until) {
  tell_control(control::ReceiverPaused{webhook, until}, false);
}

void Shard::on_circuit_open(const subscription::WebhookVersion& webhook,
                            const delivery::OpenCircuit& circuit) {
  tell_control(control::CircuitChanged{.webhook = webhook,
                                       .failures = circuit.failures,
                                       .next_attempt_at = circuit.probe_at,
                                       .last_failure = circuit.last_failure},
               false);
}

void Shard::on_circuit_closed(const subscription::WebhookVersion& webhook) {
  tell_control(control::CircuitChanged{.webhook = webhook}, false);
}

void Shard::on_permission(const subscription::WebhookVersion& webhook,
                          const std::optional<Error>& why_not) {
  tell_control(control::PermissionAsked{webhook, why_not}, false);
}

void Shard::on_listener_request(const ListenerRequest& request) {
  auto message = std::make_unique<control::ListenerRequest>();
  message->ticket = request.ticket;
  message->webhook_number = request.webhook_number;
  message->delivery = request.delivery;
  message->attempt = request.attempt;
  message->event_type = request.event_type;
  message->event_source = request.event_source;
  message->bytes.append(request.head).append(as_text(request.body));
  tell_control(std::move(message), true);
}

void Shard::on_listener_request_over(uint32_t webhook_number, uint64_t ticket) {
  tell_control(control::ListenerRequestOver{webhook_number, ticket}, false);
}

void Shard::on_endpoint_gone(const subscription::WebhookVersion& webhook) {
  tell_control(control::EndpointGone{webhook}, true);
}

// --- messages ------------------------------------------------------------------------------------

void Shard::tell_control(control::ToControl&& message, bool urgent) {
  mailroom_.to_control(index_).send(std::move(message));
  if (urgent) {
    control_wake_due_ = true;
  } else if (!flush_timer_.armed()) {
    ring_.arm<&Shard::on_flush_due>(*this, flush_timer_, news_delay_max);
  }
}

void Shard::on_flush_due() {
  control_wake_due_ = true;
}

void Shard::read_messages() {
  control::ToShard message;
  while (mailroom_.to_shard(index_).receive(message)) {
    std::visit([this](auto&& content) { on(std::forward<decltype(content)>(content)); },
               std::move(message));
  }
  Deliver deliver;
  for (uint32_t from = 0; from < mailroom_.shard_count(); ++from) {
    if (from == index_) continue;
    while (mailroom_.between(from, index_).receive(deliver)) take(deliver);
  }
  take_opened_files();
  take_offered_files();
}

void Shard::on(control::ApiReply&& message) {
  server_.answer(message.handle, *message.response);
}

void Shard::on(control::SnapshotPublished&& message) {
  for (uint32_t number : message.ended) dispatcher_.cancel(number);
  const uint64_t seen = reader_.quiescent();
  RINGPOST_ASSERT(seen >= message.version);
  for (uint32_t number : message.changed) {
    const subscription::Webhook* webhook = snapshot().webhook(number);
    if (webhook == nullptr) continue;  // Gone again.
    dispatcher_.on_changed(number);
    const uint32_t owner = subscription::owner_shard(*webhook, mailroom_.shard_count());
    if (owner == index_) dispatcher_.enquire(number);
  }
  tell_control(control::SnapshotSeen{message.version}, true);
}

void Shard::on(control::SettingsPublished&& message) {
  // The dispatcher borrows the policy of before until it has the next.
  const auto before = std::exchange(settings_, settings_in_force_.get());
  server_.set_limits(settings_->server);
  for (size_t index = 0; index < listeners_.size(); ++index) {
    server_.set_tls(index, settings_->certificate(listeners_[index]));
  }
  intake_.set_limits(settings_->event_limits);
  dispatcher_.reconfigure({.policy = settings_->policy,
                           .limits = settings_->delivery,
                           .origin = settings_->origin,
                           .roots = settings_->roots,
                           .trace_ratio = settings_->trace_ratio});
  client_.reconfigure(settings_->policy, settings_->roots);
  tell_control(control::SettingsSeen{message.version}, true);
}

void Shard::on(control::SegmentReady&& message) {
  writer_.provide(message.segment);
  shortage_noted_ = false;
}

void Shard::on(control::SegmentsDelayed&& message) {
  segments_delayed_ = message.delayed;
  writer_.segments_delayed(message.delayed);
}

void Shard::take_opened_files() {
  FileOpened opened;
  while (mailroom_.files_opened(index_).receive(opened)) {
    extents_.on_file(opened.journal, opened.segment,
                     opened.error ? Result<io::File>{*opened.error} : opened.file);
  }
}

void Shard::take_offered_files() {
  FileOffered file;
  while (mailroom_.files_offered(index_).receive(file)) take(std::move(file));
}

/// As a request of a producer; a relay that stops leaves the file to the next start.
void Shard::take(FileOffered&& file) {
  const http::RequestHandle handle{file_handles + file.directory, file.ticket};
  if (stopping_) return drop(handle);
  if (const auto problem = overloaded()) {
    ingest::count_refusal(counters_, *problem);
    return answer(handle, ingest::refusal_response(*problem));
  }
  intake_.on_file(handle, std::move(file.request), std::move(file.organization), std::move(file.id),
                  snapshot());
}

void Shard::want_payload(journal::Position event, uint64_t ticket) {
  const journal::Position place = places_.place_of(event);
  wanted_[ticket] = {event, place};
  extents_.want(place, ticket);
}

void Shard::hand_over_events() {
  journal::ExtentReader::Answer answer;
  while (extents_.next_answer(answer)) {
    const Wanted wanted = wanted_.extract(answer.ticket).mapped();
    const bool moved = places_.place_of(wanted.event) != wanted.place;
    if (!answer.event && moved) {  // And the segment that it was in may have gone.
      want_payload(wanted.event, answer.ticket);
      continue;
    }
    dispatcher_.on_payload(answer.ticket, answer.event, answer.error);
  }
}

void Shard::on(control::StoreEvent&& message) {
  const journal::EventView& event = message.event->view();
  if (event.is_carried()) return carry(std::move(message));
  std::vector<uint32_t> numbers;
  for (uint32_t index = 0; index < event.webhook_count(); ++index) {
    numbers.push_back(event.webhook_number(index));
  }
  if (refuse_share(event.organization, numbers, 0)) {
    return on_own_event_settled(message.ticket, event.uid, Error{Errc::overloaded, Side::producer});
  }
  intake_.append_own(std::move(message.event), message.ticket, message.by_hand);
}

/// Its deliveries are under way; it is only put down elsewhere. Not while the disk is full: it
/// takes room before it makes any.
void Shard::carry(control::StoreEvent&& message) {
  const Ulid uid = message.event->view().uid;
  if (segments_delayed_ || stopping_) {
    return on_own_event_settled(message.ticket, uid, Error{Errc::out_of_space, Side::disk});
  }
  intake_.append_own(std::move(message.event), message.ticket, false);
}

void Shard::on(control::StreamOpened&& message) {
  if (!server_.open_answer(message.handle, *message.head)) on_answer_cut(message.handle);
}

void Shard::on(control::StreamPiece&& message) {
  server_.add_to_answer(message.handle, message.bytes);
  if (message.last) server_.end_answer(message.handle);
}

void Shard::on(control::SendCall&& message) {
  client_.send(std::move(*message.request), [this, ticket = message.ticket](auto&& answer) {
    tell_control(control::CallAnswered{ticket, std::make_unique<net::ClientAnswer>(
                                                   std::forward<decltype(answer)>(answer))},
                 true);
  });
}

void Shard::on(control::ListenerChanged&& message) {
  dispatcher_.set_listening(message.webhook_number, message.listening);
}

void Shard::on(control::ListenerAnswered&& message) {
  dispatcher_.on_listener_answer(message.ticket, as_bytes(message.answer), message.error);
}

void Shard::flush_messages() {
  for (uint32_t to = 0; to < mailroom_.shard_count(); ++to) {
    if (to != index_ && mailroom_.between(index_, to).flush()) mailroom_.wake_shard(to);
  }
  if (mailroom_.file_orders(index_).flush()) mailroom_.wake_journal();
  if (mailroom_.files_settled(index_).flush()) mailroom_.wake_drops();
  Channel<control::ToControl>& to_control = mailroom_.to_control(index_);
  to_control.flush();
  if (control_wake_due_ || to_control.behind() || to_control.half_full()) mailroom_.wake_control();
  control_wake_due_ = false;
  // The receivers are busy: there is room in a moment, and turning until then would take their CPU.
  if (behind() && !flush_timer_.armed()) {
    ring_.arm<&Shard::on_flush_due>(*this, flush_timer_, io::TimerWheel::tick);
  }
}

bool Shard::behind() const {
  if (mailroom_.to_control(index_).behind()) return true;
  if (mailroom_.file_orders(index_).behind()) return true;
  if (mailroom_.files_settled(index_).behind()) return true;
  for (uint32_t to = 0; to < mailroom_.shard_count(); ++to) {
    if (to != index_ && mailroom_.between(index_, to).behind()) return true;
  }
  return false;
}

bool Shard::far_behind() const {
  if (mailroom_.to_control(index_).far_behind()) return true;
  for (uint32_t to = 0; to < mailroom_.shard_count(); ++to) {
    if (to != index_ && mailroom_.between(index_, to).far_behind()) return true;
  }
  return false;
}

bool Shard::has_messages() const {
  if (!mailroom_.to_shard(index_).empty()) return true;
  if (!mailroom_.files_offered(index_).empty()) return true;
  if (!mailroom_.files_opened(index_).empty() || extents_.has_answers()) return true;
  for (uint32_t from = 0; from < mailroom_.shard_count(); ++from) {
    if (from != index_ && !mailroom_.between(from, index_).empty()) return true;
  }
  return false;
}

}  // namespace ringpost::shard
