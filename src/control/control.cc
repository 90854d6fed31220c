#include "control/control.h"

#include "base/log.h"
#include "control/api/forward.h"
#include "control/api/openapi.h"
#include "control/store/store.h"
#include "control/webhook_changes.h"
#include "dialect/dialect.h"
#include "http/form.h"
#include "http/hops.h"
#include "http/syntax.h"
#include "net/tls.h"
#include "subscription/stopped.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace ringpost::control {

using journal::DeliveryStatus;
using subscription::Webhook;
using subscription::WebhookState;

namespace {

/// Redeliveries whose events are not durable yet. Each waits for one commit; beyond, the caller is
/// told to come back.
constexpr size_t storing_max = 4096;

/// How often to look whether a segment, a token or an audit entry has reached its age: rare, so
/// that a relay at rest sleeps.
constexpr Duration retention_interval = std::chrono::minutes(5);

/// How soon to try again what the disk or a busy shard stopped (D-5: within 5 s of space
/// returning).
constexpr Duration retry_interval = std::chrono::seconds(1);

/// A refusal in the shape of the API that was asked: a dialect's, or the native one.
http::Response refusal_of(const dialect::Dialect* api, const Problem& problem) {
  return api != nullptr ? api->refuse(problem) : http::problem_response(problem);
}

Answer refuse_all_but_operator() {
  return refuse(
      refusal(403, "this requires an operator token (scope admin, organization default)"));
}

Answer refuse_metrics() {
  return refuse(refusal(403,
                        "the metrics are those of all organizations: this requires a token of the "
                        "organization default that is not restricted to some sources"));
}

std::span<const api::Route> routes_of(const dialect::Dialect* dialect) {
  return dialect != nullptr ? dialect->routes() : native_routes();
}

/// A session is begun with a token, and not with another session: it would never end.
bool begins_session(const api::Route& route) {
  const auto operation = static_cast<Operation>(route.operation);
  return operation == Operation::session_create || operation == Operation::session_link_create;
}

/// A browser says itself how it reached the relay, perhaps through a proxy that has TLS.
bool reached_by_https(const Call& call) {
  const std::string_view origin = call.request.header("origin");
  return (origin.empty() ? std::string_view{call.base_url} : origin).starts_with("https://");
}

bool may_change(const http::Request& request) {
  const auto found = api::find_route(routes_of(dialect::owner_of_path(request.path)),
                                     request.method, request.path);
  const auto* match = std::get_if<api::Match>(&found);
  return match != nullptr && match->route->changes();
}

Problem not_saved(const Error& error) {
  return refusal(503, "the control store could not be written to the disk: " + describe(error) +
                          "; what this call changed may be lost at a restart of the relay, and "
                          "nothing else can be changed before");
}

bool is_json_type(std::string_view content_type) {
  const std::string_view essence = http::trim(content_type.substr(0, content_type.find(';')));
  return http::equal_ignoring_case(essence, "application/json") ||
         http::equal_ignoring_case(essence, "application/merge-patch+json");
}

}  // namespace

namespace {

/// As the index keeps it: the same as it reads from the record.
index::Outcome to_outcome(const OutcomeRecorded& message) {
  return index::to_outcome({.delivery = message.delivery,
                            .event = message.event,
                            .webhook_number = message.webhook_number,
                            .attempt = message.attempt,
                            .status = message.status,
                            .started_at = message.started_at,
                            .duration = message.duration,
                            .next_attempt_at = message.next_attempt_at,
                            .failed = message.failed,
                            .error = message.error,
                            .http_status = message.http_status},
                           message.position);
}

}  // namespace

Control::Control(const Parts& parts, const Options& options)
    : store_(parts.store),
      table_(parts.table),
      journals_(parts.journals),
      history_(parts.history),
      post_(parts.post),
      passwords_(parts.passwords),
      counters_(parts.counters),
      pending_counts_(parts.pending_counts),
      machine_(parts.machine),
      checks_(options.checks),
      settings_(options.settings),
      engine_(options.engine),
      engine_reason_(options.engine_reason),
      random_(options.prng_seed),
      registry_(parts.store, parts.table),
      tokens_(parts.store, parts.table),
      users_(parts.store, parts.table),
      git_sources_(parts.store, parts.table),
      git_links_(parts.store),
      audit_(parts.store, random_),
      authenticator_(parts.table, own_counters_, HashKey{random_.next(), random_.next()}),
      publisher_(registry_, parts.post, static_cast<uint32_t>(parts.counters.size())),
      durability_(parts.store, parts.syncs),
      recovered_(std::make_unique<PendingTable>(ledger_, parts.places)),
      pending_(ledger_, parts.places),
      visible_history_(parts.history, pending_, registry_),
      carrier_({.pending = pending_,
                .ledger = ledger_,
                .history = parts.history,
                .journals = parts.journals,
                .post = parts.post,
                .shard_count = static_cast<uint32_t>(parts.counters.size())}),
      retention_({.ledger = ledger_,
                  .carrier = carrier_,
                  .history = history_,
                  .journals = parts.journals,
                  .store = parts.store},
                 options.settings.retention),
      password_gate_(random_, own_counters_,
                     [this](PasswordWanted&& wanted) { return work(std::move(wanted)); }),
      login_({.tokens = tokens_, .audit = audit_, .random = random_, .passwords = password_gate_},
             options.settings.users),
      registrations_({.links = git_links_,
                      .sources = git_sources_,
                      .publisher = publisher_,
                      .answers = late_answers_},
                     host_caller(calls_), [this] { next_due_ = now_; }),
      gap_filler_({.links = git_links_, .sources = git_sources_}, host_caller(calls_),
                  parts.is_known, [this] { next_due_ = now_; }),
      desk_({.registry = registry_,
             .table = parts.table,
             .history = visible_history_,
             .journals = parts.journals,
             .publisher = publisher_,
             .random = random_,
             .login = login_,
             .tokens = tokens_,
             .git_sources = git_sources_,
             .git_links = git_links_,
             .registrations = registrations_,
             .checks = checks_,
             .shard_count = static_cast<uint32_t>(parts.counters.size())}),
      webhook_api_(registry_, tokens_, desk_, checks_),
      delivery_api_(registry_, visible_history_, parts.journals, desk_),
      totals_api_(registry_, visible_history_, parts.journals),
      event_api_(registry_, visible_history_, parts.journals, checks_),
      replays_({.store = parts.store,
                .registry = registry_,
                .history = visible_history_,
                .journals = parts.journals,
                .post = parts.post,
                .random = random_,
                .pending_counts = parts.pending_counts,
                .shard_count = static_cast<uint32_t>(parts.counters.size())}),
      replay_api_(replays_, desk_, random_),
      token_api_(tokens_, random_),
      source_api_({.sources = git_sources_,
                   .links = git_links_,
                   .registrations = registrations_,
                   .gaps = gap_filler_,
                   .history = visible_history_,
                   .random = random_}),
      session_api_(parts.table, users_, authenticator_, random_),
      user_api_({.users = users_,
                 .passwords = password_gate_,
                 .sessions = session_api_,
                 .audit = audit_,
                 .random = random_}),
      streams_({.registry = registry_,
                .table = parts.table,
                .sessions = session_api_,
                .history = visible_history_,
                .journals = parts.journals,
                .post = parts.post}),
      listeners_({.registry = registry_,
                  .table = parts.table,
                  .post = parts.post,
                  .shard_count = static_cast<uint32_t>(parts.counters.size())}),
      calls_(parts.post, static_cast<uint32_t>(parts.counters.size())),
      forward_({.store = parts.store,
                .journals = parts.journals,
                .history = parts.history,
                .calls = calls_,
                .random = random_},
               [this] { next_due_ = now_; }),
      tracing_(calls_, random_, [this] { next_due_ = now_; }),
      reloads_(parts.post, static_cast<uint32_t>(parts.counters.size()), options.reload,
               options.reload_done) {
  RINGPOST_ASSERT(!counters_.empty());
  const OwnerOf owner_of = [this](uint32_t webhook_number) {
    const Webhook* webhook = registry_.find(webhook_number);
    return webhook == nullptr ? OrganizationKey::unknown
                              : key_of_organization(webhook->organization);
  };
  recovered_->set_owner_of(owner_of);
  pending_.set_owner_of(owner_of);
  retention_.set_reader(
      {.needs = [this](uint32_t journal,
                       uint32_t segment) { return forward_.needs(journal, segment); },
       .on_removing = [this](uint32_t journal,
                             uint32_t segment) { forward_.on_removing(journal, segment); }});
  use(settings_);
}

/// Of the settings, what others keep.
void Control::use(const Settings& settings) {
  visible_history_.set_ages(settings.retention.organization_ages);
  streams_.set_limits(settings.streams);
  registrations_.set_public_url(settings.public_url);
  gap_filler_.set(settings.gaps);
  session_api_.set_idempotency_window(settings.gaps.window);
  forward_.set(settings.forward);
  tracing_.set(settings.tracing);
}

Result<void> Control::load() {
  if (auto loaded = git_sources_.load(); !loaded) return loaded;
  if (auto loaded = git_links_.load(); !loaded) return loaded;
  if (auto loaded = users_.load(); !loaded) return loaded;
  if (auto loaded = registry_.load(tokens_); !loaded) return loaded;  // And publishes all.
  return replays_.load();
}

void Control::reconfigure(Settings settings) {
  settings_ = std::move(settings);
  login_.set_users(settings_.users);
  retention_.set_options(settings_.retention);
  use(settings_);
  next_due_ = now_;
}

Result<void> Control::finish_recovery() {
  const auto marks = retention_.load_marks();
  if (!marks) return marks.error();
  recovered_->finish_recovery(*marks);
  recovered_->for_each([this](journal::Position event, const Ulid& uid, const auto& pending) {
    pending_.restore(event, uid, pending);
  });
  history_.set_settled_through(*marks);
  for (const JournalAccess::Segment& segment : journals_.segments()) {
    ledger_.on_opened(segment.journal, segment.number);
    if (!segment.open) ledger_.on_sealed(segment.journal, segment.number);
  }
  return forward_.load();
}

// --- messages ------------------------------------------------------------------------------------

void Control::handle(uint32_t shard, ToControl&& message, WallTime wall_now, Instant now) {
  RINGPOST_ASSERT(shard < counters_.size());
  wall_now_ = wall_now;
  begin(now);
  std::visit([&](auto&& content) { on(shard, std::move(content)); }, std::move(message));
}

void Control::begin(Instant now) {
  now_ = now;
  if (started_at_) return;
  started_at_ = now;
  registry_.failing().begin(now);
  listeners_.begin_leases(now);
}

void Control::on(uint32_t shard, ApiRequest&& message) {
  if (durability_.under_way() && may_change(*message.request)) {
    waiting_.push_back({shard, std::move(message), std::nullopt});
    return;
  }
  respond(shard, std::move(message), nullptr);
}

void Control::respond(uint32_t shard, ApiRequest&& message, const PasswordVerdict* verdict) {
  Outgoing outgoing;
  const bool changing = may_change(*message.request);
  Answer answered = answer(shard, message, verdict, outgoing);
  if (const auto waiting = verifying_.find(next_ticket_); waiting != verifying_.end()) {
    waiting->second.shard = shard;
    waiting->second.request = std::move(message);
    ++next_ticket_;
    return;
  }
  if (streams_.is_opening() || listeners_.is_opening()) {
    return open_stream(shard, message.handle, answered.response);
  }
  if (answered.when == Answer::When::later) return;
  outgoing.api = dialect::owner_of_path(message.request->path);
  Reply ready{
      .shard = shard,
      .reply = {message.handle, std::make_unique<http::Response>(std::move(answered.response))},
      .when = answered.when,
      .outgoing = std::move(outgoing)};
  send_or_hold(std::move(ready), changing);
}

/// What changes something is answered when it is durable; also what changed nothing: it may say
/// what another call has just changed.
void Control::send_or_hold(Reply&& ready, bool changing) {
  if (changing && durability_.pending()) {
    unsaved_.push_back(std::move(ready));
  } else {
    send(std::move(ready));
  }
}

void Control::send_late_answers() {
  for (LateAnswers::Ready& ready : late_answers_.take()) {
    auto& [caller, answer] = ready;
    RINGPOST_ASSERT(answer.when != Answer::When::later && answer.when != Answer::When::stored);
    if (answer.change && caller.token) {
      audit_.record({.by = *caller.token,
                     .peer = caller.peer,
                     .at = wall_now_,
                     .status = answer.response.status,
                     .change = std::move(*answer.change)});
    }
    auto response = std::make_unique<http::Response>(std::move(answer.response));
    send_or_hold({.shard = caller.shard,
                  .reply = {caller.handle, std::move(response)},
                  .when = answer.when,
                  .outgoing = {.event = {}, .api = caller.api}},
                 true);
  }
}

void Control::send(Reply&& ready) {
  auto& [shard, reply, when, outgoing] = ready;
  switch (when) {
    case Answer::When::now: break;
    case Answer::When::published:
      if (durability_.failure()) break;  // Nothing was changed, and nothing is published any more.
      publisher_.send_when_seen(shard, std::move(reply));
      return;
    case Answer::When::reloaded: reloads_.send_when_seen(shard, std::move(reply)); return;
    case Answer::When::stored: send_outgoing(shard, std::move(reply), std::move(outgoing)); return;
    case Answer::When::later: RINGPOST_UNREACHABLE();
  }
  post_.send(shard, std::move(reply));
}

/// The answer is a head; its body comes in pieces.
void Control::open_stream(uint32_t shard, http::RequestHandle handle, http::Response& head) {
  post_.send(shard, StreamOpened{handle, std::make_unique<http::Response>(std::move(head))});
  if (listeners_.is_opening()) return listeners_.begin(shard, handle, now_);
  streams_.begin(shard, handle, now_);
}

// --- durability ----------------------------------------------------------------------------------

// change ─> commit ─> flush: a sync begins ─> on_store_synced ─> answers, snapshot ─> what waited

void Control::flush() {
  if (!durability_.under_way()) calls_.finish();
  send_late_answers();
  if (!durability_.begin()) publish();
}

void Control::on_store_synced(const StoreSynced& synced, WallTime wall_now, Instant now) {
  wall_now_ = wall_now;
  begin(now);
  durability_.on_synced(synced);
  publish();
  go_on_changing();
}

/// Everything that was committed is durable, or never will be known to be.
void Control::publish() {
  const auto& failure = durability_.failure();
  for (Reply& ready : std::exchange(unsaved_, {})) {
    if (failure && ready.when != Answer::When::reloaded) {  // Those are in effect.
      *ready.reply.response = refusal_of(ready.outgoing.api, not_saved(*failure));
      ready.when = Answer::When::now;
    }
    send(std::move(ready));
  }
  if (!failure) publisher_.flush();
}

/// What came while nothing could be changed.
void Control::go_on_changing() {
  for (Stop& stop : std::exchange(stops_, {})) {
    const Webhook* webhook = registry_.find(stop.webhook);
    if (webhook != nullptr && webhook->active()) {
      stop_webhook(*webhook, stop.state, std::move(stop.reason));
    }
  }
  for (Waiting& call : std::exchange(waiting_, {})) {
    respond(call.shard, std::move(call.request), call.verdict ? &*call.verdict : nullptr);
  }
}

// --- news ----------------------------------------------------------------------------------------

/// Asks who works on passwords, if that is not this thread.
std::optional<PasswordVerdict> Control::work(PasswordWanted&& wanted) {
  wanted.ticket = next_ticket_;
  if (passwords_ == nullptr) {
    auto checked = check_password(wanted);
    return PasswordVerdict{.text = std::move(wanted.text),
                           .right = checked.right,
                           .next_text = std::move(checked.next_text)};
  }
  verifying_.emplace(next_ticket_, Verifying{.text = wanted.text});
  passwords_->send(std::move(wanted));
  return std::nullopt;
}

void Control::on_password_checked(const PasswordChecked& checked, WallTime wall_now, Instant now) {
  wall_now_ = wall_now;
  begin(now);
  auto waiting = verifying_.extract(checked.ticket);
  if (waiting.empty()) return;
  Verifying& login = waiting.mapped();
  PasswordVerdict verdict{
      .text = std::move(login.text), .right = checked.right, .next_text = checked.next_text};
  if (durability_.under_way()) {
    waiting_.push_back({login.shard, std::move(login.request), std::move(verdict)});
    return;
  }
  respond(login.shard, std::move(login.request), &verdict);
}

void Control::on(uint32_t, EventAccepted&& message) {
  const journal::Position record = message.event->place();
  const auto replaced = pending_.on_event(message.event->view(), record);
  if (replaced) history_.replace(*replaced);
  history_.on_event(message.event->view(), record);
  forward_.on_event(message.event->view(), record);
  if (tracing_.is_on()) tracing_.on_event(message.event->view(), message.durable_at, now_);
}

void Control::on(uint32_t, std::unique_ptr<AttemptTraced>&& message) {
  if (!tracing_.is_on()) return;
  tracing_.on_attempt(*message, registry_.find(message->webhook_number), now_);
}

void Control::on(uint32_t, OutcomeRecorded&& message) {
  const index::Outcome outcome = to_outcome(message);
  const journal::Position place = pending_.place_of(outcome.delivery.event);
  pending_.on_outcome(outcome);
  history_.on_outcome(outcome, place);
  streams_.on_outcome(outcome, message.delivery);
  judge(message);
}

/// A webhook all of whose deliveries have failed for as long as its dialect bears is broken.
void Control::judge(const OutcomeRecorded& outcome) {
  const bool failed =
      outcome.status == DeliveryStatus::pending || outcome.status == DeliveryStatus::dead;
  if (outcome.status == DeliveryStatus::delivered) {
    registry_.failing().clear(outcome.webhook_number);
  }
  if (!failed) return;
  const Webhook* webhook = registry_.find(outcome.webhook_number);
  if (webhook == nullptr) return;
  if (outcome.status == DeliveryStatus::dead) {
    dead_letters_.on_death({.webhook_number = webhook->number,
                            .webhook = webhook->id,
                            .delivery = outcome.delivery,
                            .attempts = outcome.attempt,
                            .error = outcome.error},
                           now_);
  }
  if (outcome.attempt == 0 || !webhook->active()) return;
  last_failure_ = {.webhook = webhook->id, .delivery = outcome.delivery, .at = wall_now_};
  const Duration bearable = dialect::of(*webhook).broken_after();
  if (bearable == Duration::zero()) return;
  if (registry_.failing().on_failure(webhook->number, now_) < bearable) return;
  const auto hours = std::chrono::duration_cast<std::chrono::hours>(bearable).count();
  stop_webhook(*webhook, WebhookState::broken,
               "every delivery failed for " + std::to_string(hours) + " hours");
}

void Control::on(uint32_t, EndpointGone&& message) {
  const Webhook* webhook = registry_.find(message.webhook);
  if (webhook == nullptr || !webhook->active()) return;
  stop_webhook(*webhook, WebhookState::disabled, std::string{subscription::reason_gone});
}

void Control::on(uint32_t, ReceiverPaused&& message) {
  if (registry_.find(message.webhook) == nullptr) return;
  registry_.receivers().on_pause(message.webhook.number, message.until);
}

void Control::on(uint32_t, CircuitChanged&& message) {
  const Webhook* webhook = registry_.find(message.webhook);
  if (webhook == nullptr) return;
  ReceiverNotes& receivers = registry_.receivers();
  if (message.failures == 0) {
    if (receivers.on_circuit_closed(webhook->number)) {
      log_info("webhook " + webhook->id.to_text() + ": its receiver works again");
    }
    return;
  }
  const bool tell = receivers.on_circuit_open(
      webhook->number, {message.failures, message.next_attempt_at, message.last_failure});
  if (!tell) return;
  log_warning("webhook " + webhook->id.to_text() + ": " + std::to_string(message.failures) +
              " attempts in a row failed (" + net::describe_tls(message.last_failure) +
              "); it gets one attempt at a time until one succeeds, and the others wait; see "
              "`ringpost webhook show " +
              webhook->id.to_text() + "`");
}

void Control::on(uint32_t, PermissionAsked&& message) {
  if (registry_.find(message.webhook) == nullptr) return;
  registry_.receivers().on_permission(message.webhook.number, message.why_not);
}

/// Ends a webhook's deliveries for what its endpoint did.
void Control::stop_webhook(const Webhook& webhook, WebhookState state, std::string reason) {
  if (durability_.under_way()) {
    stops_.push_back({{webhook.number, webhook.updated_at}, state, std::move(reason)});
    return;
  }
  Webhook changed = webhook;
  changed.state = state;
  changed.state_reason = std::move(reason);
  changed.updated_at = wall_now_;
  const std::string what = "webhook " + changed.id.to_text() + ": " + changed.state_reason;
  const auto updated = registry_.update(std::move(changed));
  if (!updated) {  // What its endpoint does next tries again.
    log_error(what + "; could not disable it, because the control store failed: " +
              describe(updated.error()));
    return;
  }
  log_warning(what + "; it is " + std::string{subscription::name(state)} + " now");
  publisher_.on_change();
}

void Control::on(uint32_t shard, SegmentWanted&&) {
  journals_.want(shard);
  next_due_ = now_;
}

void Control::on(uint32_t shard, SegmentSealed&& message) {
  journals_.on_sealed(shard, message.number);
  ledger_.on_sealed(shard, message.number);
  carrier_.on_sealed(journals_.bytes() / std::max<size_t>(journals_.segments().size(), 1));
  journals_.write_index(history_.seal(static_cast<uint16_t>(shard), message.number));
  next_due_ = now_;
}

void Control::on(uint32_t shard, SnapshotSeen&& message) {
  publisher_.on_seen(shard, message.version);
  if (publisher_.settled() && !table_.reclaim()) next_due_ = now_ + retry_interval;
}

void Control::on(uint32_t shard, SettingsSeen&& message) {
  reloads_.on_seen(shard, message.version);
}

void Control::on(uint32_t, StoreEventDone&& message) {
  if (replays_.on_stored(message, now_) || carrier_.on_stored(message, now_)) {
    next_due_ = now_;
    return;
  }
  auto waiting = storing_.extract(message.ticket);
  if (waiting.empty()) return;
  auto& [shard, reply, api] = waiting.mapped();
  if (message.failed) {
    Problem problem = refusal(503, "the event was not stored: " + describe(message.error));
    if (message.error.code == Errc::out_of_space) problem.status = 507;
    if (message.error == Error{Errc::overloaded, Side::producer}) {
      problem = refusal(429,
                        "too many deliveries of the organization are pending, which is its share "
                        "of delivery.pending_max; mend the receiver that they wait for, or disable "
                        "its webhook");
    }
    problem.retry_after_s = 5;
    *reply.response = refusal_of(api, problem);
  }
  post_.send(shard, std::move(reply));
}

void Control::on(uint32_t, StorageFailed&& message) {
  if (!storage_failure_) storage_failure_ = message.error;
}

void Control::on(uint32_t shard, StreamTaken&& message) {
  streams_.on_taken(shard, message, now_);
}

void Control::on(uint32_t shard, std::unique_ptr<ListenerRequest>&& message) {
  listeners_.on_request(shard, std::move(*message), wall_now_, now_);
}

void Control::on(uint32_t shard, ListenerRequestOver&& message) {
  listeners_.on_request_over(shard, message);
}

void Control::on(uint32_t, CallAnswered&& message) {
  calls_.on_answered(std::move(message));
}

void Control::on(uint32_t shard, StreamGone&& message) {
  streams_.on_gone(shard, message.handle);
  listeners_.on_gone(shard, message.handle, now_);
  next_due_ = now_;
}

// --- requests ------------------------------------------------------------------------------------

// answer ─> the API that the path belongs to ─> route ─> let_in ─> the operation ─> audit

Answer Control::answer(uint32_t shard, const ApiRequest& message, const PasswordVerdict* verdict,
                       Outgoing& outgoing) {
  password_gate_.begin(verdict, now_);
  const http::Request& request = *message.request;
  const dialect::Dialect* dialect = dialect::owner_of_path(request.path);
  const auto routes = routes_of(dialect);
  const auto refuse_here = [&](const Problem& problem) {
    return Answer{refusal_of(dialect, problem)};
  };
  const auto found = api::find_route(routes, request.method, request.path);
  if (std::holds_alternative<api::NoSuchPath>(found)) {
    return refuse_here(refusal(404, "there is no such path"));
  }
  if (const auto* wrong = std::get_if<api::WrongMethod>(&found)) {
    Answer refused = refuse_here(to_problem(*wrong));
    refused.response.headers.push_back({"Allow", wrong->allow});
    return refused;
  }
  const auto& match = std::get<api::Match>(found);
  auto entry = let_in(message, dialect, *match.route);
  if (auto* refused = std::get_if<Answer>(&entry)) return std::move(*refused);
  // A copy: the request may delete the token that it shows.
  const auto& token = std::get<std::optional<subscription::Token>>(entry);
  const bool typed = is_json_type(request.header("content-type")) ||
                     (match.route->takes_forms && http::is_form(request));
  if (!request.body.empty() && !typed) {
    return refuse_here(refusal(415, http::wrong_content_type(request), "Content-Type"));
  }
  Call call = call_of(message, match, token ? &*token : nullptr);
  if (auto problem = http::read_hops(request, call.hops)) return refuse_here(*problem);
  desk_.begin(call, now_);
  Answer answered = dialect != nullptr ? run(*dialect, *match.route, call)
                                       : run(static_cast<Operation>(match.route->operation), call);
  if (auto made = desk_.take_outgoing()) outgoing = std::move(*made);
  RINGPOST_ASSERT((answered.when == Answer::When::stored) == static_cast<bool>(outgoing.event));
  if (answered.when == Answer::When::later) {
    late_answers_.hold(answered.ticket, {.shard = shard,
                                         .handle = message.handle,
                                         .api = dialect,
                                         .token = token,
                                         .peer = message.peer});
  }
  if (!answered.change) answered.change = desk_.take_change();
  if (answered.change) ping_changed(call, *answered.change);
  if (answered.change && token) {
    audit_.record({.by = *token,
                   .peer = message.peer,
                   .at = wall_now_,
                   .status = answered.response.status,
                   .change = std::move(*answered.change)});
  }
  return answered;
}

/// The caller's token, none on a route that is open to anybody; or the refusal, in the words of the
/// API.
std::variant<Answer, std::optional<subscription::Token>> Control::let_in(
    const ApiRequest& message, const dialect::Dialect* dialect, const api::Route& route) {
  const bool open = route.access == api::Access::open || message.metrics_open;
  if (open) return std::optional<subscription::Token>{};
  const std::string_view key = dialect == nullptr ? session_key(*message.request) : "";
  if (!key.empty() && !begins_session(route)) return let_in_session(message, key, route);
  const bool bare = dialect != nullptr && dialect->takes_bare_token();
  const auto caller =
      authenticator_.authenticate({.request = *message.request,
                                   .peer = message.peer,
                                   .scope = route.scope,
                                   .form = bare ? http::TokenForm::either : http::TokenForm::bearer,
                                   .other_header = route.token_header,
                                   .wall_now = wall_now_,
                                   .now = now_});
  if (const auto* failure = std::get_if<AuthenticationFailure>(&caller)) {
    if (dialect == nullptr) return Answer{authentication_response(*failure)};
    return Answer{dialect->refuse(authentication_problem(*failure))};
  }
  return std::optional{*std::get<const subscription::Token*>(caller)};
}

/// The same by the cookie of the console's session.
std::variant<Answer, std::optional<subscription::Token>> Control::let_in_session(
    const ApiRequest& message, std::string_view key, const api::Route& route) {
  const auto caller =
      session_api_.authenticate(*message.request, key, route, message.peer, wall_now_, now_);
  if (const auto* problem = std::get_if<Problem>(&caller)) {
    Answer refused = refuse(*problem);
    if (problem->status == 401) {  // RFC 9110, 15.5.2.
      refused.response.headers.push_back({"WWW-Authenticate", "Bearer realm=\"ringpost\""});
    }
    return refused;
  }
  return std::optional{*std::get<const subscription::Token*>(caller)};
}

Answer Control::run(const dialect::Dialect& dialect, const api::Route& route, const Call& call) {
  std::optional<api::Rate> rate;
  const auto limits = dialect.rate_limits();
  if (limits && call.token != nullptr) {
    rate = rate_limiter_.count({.api = dialect.name(),
                                .organization = call.token->organization,
                                .token_number = call.token->number},
                               *limits, now_);
    if (rate->exceeded()) {
      http::Response refused = dialect.refuse_rate(*rate);
      dialect.write_rate(*rate, refused);
      return {std::move(refused)};
    }
  }
  Answer answer = dialect.handle(route, call, desk_);
  if (rate) dialect.write_rate(*rate, answer.response);
  return answer;
}

/// Tries out a webhook that was made or changed, once every shard has seen the change.
void Control::ping_changed(const Call& call, const Change& change) {
  if (change.operation != api::webhook_create && change.members.empty()) return;
  const auto id = Ulid::parse(change.object);
  const auto& organization = change.organization.empty() ? call.organization : change.organization;
  const Webhook* webhook = id ? registry_.find(organization, *id) : nullptr;
  if (webhook == nullptr || !webhook->active()) return;
  const dialect::Dialect& dialect = dialect::of(*webhook);
  if (!dialect.pings_changes()) return;
  const auto made = dialect.ping(*webhook, call.base_url);
  const auto* content = std::get_if<dialect::Dialect::Ping>(&made);
  if (content == nullptr) return;
  Outgoing ping =
      ping_for(*webhook, *content, call, random_, static_cast<uint32_t>(counters_.size()));
  // Ticket 0: nobody waits for it.
  publisher_.send_when_seen(ping.shard, StoreEvent{.ticket = 0, .event = std::move(ping.event)});
}

Call Control::call_of(const ApiRequest& message, const api::Match& match,
                      const subscription::Token* token) const {
  const http::Request& request = *message.request;
  std::string base = settings_.public_url;
  if (base.empty())
    base = (message.tls ? "https://" : "http://") + std::string{request.header("host")};
  return {.request = request,
          .token = token,
          .organization = token != nullptr ? token->organization : std::string{},
          .parameters = match.parameters,
          .base_url = std::move(base),
          .peer = &message.peer,
          .webhook_ips = settings_.webhook_ips,
          .now = wall_now_};
}

Answer Control::run(Operation operation, const Call& call) {
  switch (operation) {
    case Operation::webhook_create: return webhook_api_.create(call);
    case Operation::webhook_list: return webhook_api_.list(call);
    case Operation::webhook_show: return webhook_api_.show(call);
    case Operation::webhook_update: return webhook_api_.update(call);
    case Operation::webhook_delete: return webhook_api_.remove(call);
    case Operation::webhook_enable: return webhook_api_.set_active(call, true);
    case Operation::webhook_disable: return webhook_api_.set_active(call, false);
    case Operation::webhook_rotate_secret: return webhook_api_.rotate_secret(call);
    case Operation::webhook_ping: return delivery_api_.ping(call);
    case Operation::webhook_deliveries: return delivery_api_.list(call);
    case Operation::delivery_list: return delivery_api_.list_all(call);
    case Operation::webhook_totals: return totals_api_.of_webhook(call);
    case Operation::totals_show: return totals_api_.of_organization(call);
    case Operation::delivery_show: return delivery_api_.show(call);
    case Operation::delivery_redeliver: return delivery_api_.redeliver(call);
    case Operation::delivery_download: return delivery_api_.download(call);
    case Operation::stream_open: return streams_.open(call, now_);
    case Operation::listener_create: return create_listener(call);
    case Operation::listener_stream: return listeners_.open(call);
    case Operation::listener_answer: return listeners_.answer(call);
    case Operation::webhook_replay: return replay_api_.start(call);
    case Operation::replay_start: return replay_api_.start(call);
    case Operation::replay_list: return replay_api_.list(call);
    case Operation::replay_show: return replay_api_.show(call);
    case Operation::replay_pause: return replay_api_.set_state(call, ReplayState::paused);
    case Operation::replay_resume: return replay_api_.set_state(call, ReplayState::running);
    case Operation::replay_cancel: return replay_api_.set_state(call, ReplayState::cancelled);
    case Operation::source_create: return source_api_.create(call);
    case Operation::source_list: return source_api_.list(call);
    case Operation::source_show: return source_api_.show(call);
    case Operation::source_update: return source_api_.update(call);
    case Operation::source_delete: return source_api_.remove(call);
    case Operation::source_rotate_secret: return source_api_.rotate_secret(call);
    case Operation::source_register: return source_api_.register_at_host(call, now_);
    case Operation::source_gaps: return source_api_.gaps(call);
    case Operation::event_list: return event_api_.list(call);
    case Operation::event_show: return event_api_.show(call);
    case Operation::dry_run: return event_api_.dry_run(call);
    case Operation::webhook_dry_run: return event_api_.dry_run_of(call);
    case Operation::preview: return event_api_.preview(call);
    case Operation::webhook_preview: return event_api_.preview_of(call);
    case Operation::status_show:
      if (!call.token->is_operator()) return refuse_all_but_operator();
      return show_status(metric_sources(status_facts()));
    case Operation::metrics_show:
      if (call.token != nullptr && !call.token->may_read_metrics()) return refuse_metrics();
      return show_metrics(metric_sources(status_facts()), settings_.metrics, call.request);
    case Operation::session_create:
    case Operation::session_show:
    case Operation::session_delete:
    case Operation::session_link_create:
    case Operation::session_link_use:
    case Operation::session_sign_in:
    case Operation::session_password:
    case Operation::session_list:
    case Operation::session_delete_one: return run_session(operation, call);
    case Operation::token_create: return token_api_.create(call);
    case Operation::token_list: return token_api_.list(call);
    case Operation::token_delete: return token_api_.remove(call);
    case Operation::user_create: return user_api_.create(call, now_);
    case Operation::user_list: return user_api_.list(call);
    case Operation::user_show: return user_api_.show(call);
    case Operation::user_update: return user_api_.update(call, now_);
    case Operation::user_delete: return user_api_.remove(call);
    case Operation::audit_list: return list_audit(call, audit_);
    case Operation::forward_show:
      if (!call.token->is_operator()) return refuse_all_but_operator();
      return show_forward(forward_.status());
    case Operation::forward_set_aside:
      if (!call.token->is_operator()) return refuse_all_but_operator();
      return list_set_aside(call, forward_);
    case Operation::forward_send_again:
      if (!call.token->is_operator()) return refuse_all_but_operator();
      return send_set_aside_again(call, forward_);
    case Operation::forward_drop:
      if (!call.token->is_operator()) return refuse_all_but_operator();
      return drop_set_aside(call, forward_);
    case Operation::configuration_reload:
      if (!call.token->is_operator()) return refuse_all_but_operator();
      return reload_configuration(call, reloads_);
    case Operation::configuration_show:
      if (!call.token->is_operator()) return refuse_all_but_operator();
      return show_configuration(settings_.configuration, reloads_.last());
    case Operation::openapi_show: return show_openapi(call);
  }
  RINGPOST_UNREACHABLE();
}

/// A webhook that somebody has to listen for, or it goes.
Answer Control::create_listener(const Call& call) {
  if (auto problem = listeners_.object_to_count(call.organization)) return refuse(*problem);
  Answer answer = webhook_api_.create(call, true);
  const auto id = desk_.change() ? Ulid::parse(desk_.change()->object) : std::nullopt;
  const Webhook* webhook = id ? registry_.find(call.organization, *id) : nullptr;
  if (webhook != nullptr) listeners_.add(*webhook, now_);
  return answer;
}

void Control::remove_listeners() {
  for (const Webhook* webhook : listeners_.expired(now_)) {
    const std::string id = webhook->id.to_text();
    if (const auto removed = registry_.remove(*webhook); !removed) {
      listeners_.add(*webhook, now_);
      log_error("could not delete the webhook of a listener, " + id + ": " +
                describe(removed.error()));
      continue;
    }
    log_info("webhook " + id + ": nobody listens for it any more; it is deleted");
    publisher_.on_change();
  }
}

Answer Control::run_session(Operation operation, const Call& call) {
  switch (operation) {
    case Operation::session_show: return session_api_.show(call, now_);
    case Operation::session_delete: return session_api_.remove(call);
    case Operation::session_list: return session_api_.list(call, now_);
    case Operation::session_delete_one: return session_api_.remove_one(call, now_);
    case Operation::session_link_create: return session_api_.create_link(call, now_);
    case Operation::session_link_use:
      return session_api_.create_by_link(call, now_, reached_by_https(call));
    case Operation::session_sign_in: return user_api_.sign_in(call, now_, reached_by_https(call));
    case Operation::session_password: return user_api_.change_own_password(call, now_);
    default: return session_api_.create(call, now_, reached_by_https(call));
  }
}

StatusFacts Control::status_facts() const {
  return {.uptime = now_ - started_at_.value_or(now_),
          .storage_failure = storage_failure_,
          .storage_shortage = journals_.failure(),
          .store_failure = durability_.failure(),
          .journal_bytes = journals_.bytes(),
          .journal_damages = journal_damages_,
          .events_carried = carrier_.events(),
          .segments_unindexed = journals_.unindexed(),
          .retention = settings_.retention,
          .queued_messages = queued_messages_,
          .last_reload = reloads_.last(),
          .last_failure = last_failure_,
          .limits = settings_.limits,
          .engine = engine_,
          .engine_reason = engine_reason_,
          .forward = forward_.status(),
          .tracing = tracing_.status()};
}

MetricSources Control::metric_sources(const StatusFacts& facts) const {
  return {.shards = counters_,
          .control = own_counters_,
          .pending = pending_counts_,
          .tally = pending_,
          .history = history_,
          .registry = registry_,
          .facts = facts,
          .machine = machine_};
}

void Control::send_outgoing(uint32_t shard, ApiReply reply, Outgoing outgoing) {
  if (storing_.size() >= storing_max) {
    Problem problem = refusal(503, "too many redeliveries and pings are queued; try again shortly");
    problem.retry_after_s = 1;
    *reply.response = refusal_of(outgoing.api, problem);
    post_.send(shard, std::move(reply));
    return;
  }
  const uint64_t ticket = next_ticket_++;
  storing_.emplace(ticket, Storing{shard, std::move(reply), outgoing.api});
  post_.send(outgoing.shard, StoreEvent{ticket, std::move(outgoing.event)});
}

// --- housekeeping --------------------------------------------------------------------------------

bool Control::step(WallTime wall_now, Instant now) {
  wall_now_ = wall_now;
  begin(now);
  provide_segments();
  tell_of_delay();
  const bool wall_trusted = wall_clock_.observe(wall_now, now);
  durability_.begin();  // Housekeeping relies on what is stored.
  const bool more =
      durability_.may_commit() &&
      tidy_store(wall_trusted ? std::optional{wall_now} : std::nullopt, wall_now, now);
  dead_letters_.step(now);
  flush();
  tracing_.step(wall_now, now);
  streams_.step(wall_now, now);
  listeners_.step(wall_now, now);
  const bool reclaimed = table_.reclaim();
  set_next_due(reclaimed);
  // When a sync ends there is another step.
  return more && durability_.may_commit();
}

/// All housekeeping that changes the store.
/// @param trusted  the wall clock, if it can be believed. @returns whether there may be more.
bool Control::tidy_store(std::optional<WallTime> trusted, WallTime wall_now, Instant now) {
  if (registrations_.step(wall_now, now)) publisher_.on_change();
  gap_filler_.step(wall_now, now);
  bool more = replays_.step(wall_now, now);
  more |= forward_.step(wall_now, now);
  more |= retention_.step(wall_now, now);
  more |= trusted && tidy_tokens(*trusted);
  more |= audit_.step(trusted, now);
  more |= registry_.failing().step(now);
  remove_listeners();
  return more;
}

void Control::set_next_due(bool reclaimed) {
  next_due_.reset();
  const bool ageing = retention_.pending() || tokens_.any_expires() || audit_.pending();
  if (ageing) next_due_ = now_ + retention_interval;
  if (!reclaimed) next_due_ = now_ + retry_interval;
  if (registrations_.has_answers() && durability_.may_commit()) next_due_ = now_;
  const auto writing = durability_.may_commit() ? registry_.failing().due() : std::nullopt;
  const auto replaying = durability_.may_commit() ? replays_.due() : std::nullopt;
  const auto streaming = streams_.due(wall_now_, now_);
  const auto filling = durability_.may_commit() ? gap_filler_.due() : std::nullopt;
  const auto forwarding = durability_.may_commit() ? forward_.due() : std::nullopt;
  for (const auto& due : {writing, replaying, filling, forwarding, streaming, listeners_.due(),
                          dead_letters_.due(), carrier_.due(), tracing_.due()}) {
    if (due) next_due_ = std::min(next_due_.value_or(*due), *due);
  }
}

void Control::tell_of_delay() {
  const bool delayed = journals_.failure().has_value();
  if (delayed == std::exchange(segments_delayed_, delayed)) return;
  for (uint32_t shard = 0; shard < counters_.size(); ++shard) {
    post_.send(shard, SegmentsDelayed{delayed});
  }
}

/// Removes tokens that have expired. @returns whether there may be more.
bool Control::tidy_tokens(WallTime wall_now) {
  const auto removed = tokens_.remove_expired(wall_now);
  if (!removed) {
    log_error("could not delete expired tokens: " + describe(removed.error()));
    return false;
  }
  if (*removed == 0) return false;
  publisher_.on_change();
  return true;
}

void Control::provide_segments() {
  while (auto ready = journals_.take()) {
    ledger_.on_opened(ready->journal, ready->segment.number);
    history_.begin(static_cast<uint16_t>(ready->journal), ready->segment.number);
    post_.send(ready->journal, SegmentReady{ready->segment});
  }
}

namespace {

using KeepToken = std::function<bool(const std::string&)>;

Result<MintedToken> insert_admin_token(Store& store, MintedToken minted, const std::string& name,
                                       const KeepToken& keep) {
  minted.token.name = name;
  minted.token.scopes = static_cast<uint8_t>(subscription::Scope::admin);
  if (!keep(minted.text)) return Error{Errc::io_failed, Side::disk};
  if (const auto stored = store.insert_token(minted.token); !stored) return stored.error();
  return minted;
}

}  // namespace

Result<std::optional<std::string>> mint_admin_token(Store& store, WallTime now, Prng& random,
                                                    const KeepToken& keep) {
  bool any = false;
  const auto loaded = store.load([](Webhook&&) {}, [&](subscription::Token&&) { any = true; });
  if (!loaded) return loaded.error();
  if (any) return std::optional<std::string>{};
  auto minted = insert_admin_token(store, mint_token(now, random), "admin", keep);
  if (!minted) return minted.error();
  return std::optional{std::move(minted->text)};
}

Result<std::string> add_admin_token(Store& store, WallTime now, Prng& random,
                                    const std::string& name, const KeepToken& keep) {
  auto minted = insert_admin_token(store, mint_token(now, random), name, keep);
  if (!minted) return minted.error();
  const subscription::Token& token = minted->token;
  const auto noted = store.audit().insert({.id = Ulid::mint(now, random),
                                           .at = now,
                                           .organization = token.organization,
                                           .token = token.id,
                                           .token_name = token.name,
                                           .token_organization = token.organization,
                                           .operation = "token.create",
                                           .object = token.id.to_text(),
                                           .members = {"name", "scopes"},
                                           .peer = "data directory",
                                           .status = 201});
  if (!noted) return noted.error();
  return std::move(minted->text);
}

}  // namespace ringpost::control
