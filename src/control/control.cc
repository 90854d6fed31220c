#include "control/control.h"

#include "base/bytes.h"
#include "base/log.h"
#include "control/api/authenticate.h"
#include "control/store/store.h"
#include "crypto/digest.h"
#include "crypto/random.h"
#include "dialect/dialect.h"
#include "http/syntax.h"

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
constexpr size_t redelivering_max = 4096;

/// How often to look whether a segment has reached its age: rare, so that a relay at rest sleeps.
constexpr Duration retention_interval = std::chrono::minutes(5);

/// How soon to try again what the disk or a busy shard stopped (D-5: within 5 s of space
/// returning).
constexpr Duration retry_interval = std::chrono::seconds(1);

/// A refusal in the shape of the API that was asked: a dialect's, or the native one.
http::Response refusal_of(const dialect::Dialect* api, const Problem& problem) {
  return api != nullptr ? api->refuse(problem) : http::problem_response(problem);
}

bool is_json_type(std::string_view content_type) {
  const std::string_view essence = http::trim(content_type.substr(0, content_type.find(';')));
  return http::equal_ignoring_case(essence, "application/json") ||
         http::equal_ignoring_case(essence, "application/merge-patch+json");
}

}  // namespace

Control::Control(const Parts& parts, const Options& options)
    : store_(parts.store),
      table_(parts.table),
      journals_(parts.journals),
      post_(parts.post),
      counters_(parts.counters),
      options_(options),
      random_(options.prng_seed),
      registry_(parts.store, parts.table),
      publisher_(registry_, parts.post, static_cast<uint32_t>(parts.counters.size())),
      history_(ledger_, options.history),
      retention_(ledger_, history_, parts.journals, parts.store, options.retention),
      webhook_api_(registry_, random_, options.checks),
      delivery_api_(registry_, history_, parts.journals, random_,
                    static_cast<uint32_t>(parts.counters.size())),
      desk_({.registry = registry_,
             .table = parts.table,
             .history = history_,
             .journals = parts.journals,
             .publisher = publisher_,
             .random = random_,
             .checks = options_.checks,
             .shard_count = static_cast<uint32_t>(parts.counters.size())}) {
  RINGPOST_ASSERT(!counters_.empty());
}

Result<void> Control::load() {
  return registry_.load();
}

Result<void> Control::finish_recovery() {
  const auto marks = retention_.load_marks();
  if (!marks) return marks.error();
  history_.finish_recovery(*marks);
  for (const JournalAccess::Segment& segment : journals_.segments()) {
    ledger_.on_opened(segment.journal, segment.number);
    if (!segment.open) ledger_.on_sealed(segment.journal, segment.number);
  }
  return {};
}

// --- messages -----------------------------------------------------------------------------------

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
}

void Control::on(uint32_t shard, ApiRequest&& message) {
  Outgoing outgoing;
  Answer answered = answer(message, outgoing);
  ApiReply reply{message.handle, std::make_unique<http::Response>(std::move(answered.response))};
  switch (answered.when) {
    case Answer::When::now: post_.send(shard, std::move(reply)); return;
    case Answer::When::published: publisher_.send_when_seen(shard, std::move(reply)); return;
    case Answer::When::stored: send_outgoing(shard, std::move(reply), std::move(outgoing)); return;
  }
}

void Control::on(uint32_t, EventAccepted&& message) {
  history_.on_event(message.event->view(), message.event->position());
}

void Control::on(uint32_t, OutcomeRecorded&& message) {
  history_.on_outcome({.delivery = message.delivery,
                       .event = message.event,
                       .record = message.position,
                       .webhook_number = message.webhook_number,
                       .attempt = message.attempt,
                       .status = message.status,
                       .started_at = message.started_at,
                       .next_attempt_at = message.next_attempt_at});
  judge(message);
}

/// A webhook all of whose deliveries have failed for as long as its dialect bears is broken.
void Control::judge(const OutcomeRecorded& outcome) {
  const bool failed =
      outcome.status == DeliveryStatus::pending || outcome.status == DeliveryStatus::dead;
  if (outcome.status == DeliveryStatus::delivered) {
    registry_.failing().clear(outcome.webhook_number);
  }
  if (!failed || outcome.attempt == 0) return;
  const Webhook* webhook = registry_.find(outcome.webhook_number);
  if (webhook == nullptr || !webhook->active()) return;
  const Duration bearable = dialect::of(*webhook).broken_after();
  if (bearable == Duration::zero()) return;
  if (registry_.failing().on_failure(webhook->number, now_) < bearable) return;
  const auto hours = std::chrono::duration_cast<std::chrono::hours>(bearable).count();
  stop_broken(*webhook, "every delivery failed for " + std::to_string(hours) + " hours");
}

void Control::stop_broken(const Webhook& webhook, std::string reason) {
  Webhook changed = webhook;
  changed.state = WebhookState::broken;
  changed.state_reason = std::move(reason);
  changed.updated_at = wall_now_;
  const auto updated = registry_.update(std::move(changed));
  if (!updated) {  // Its next failure tries again.
    log_error("a webhook that is broken stays active, because the store failed: " +
              describe(updated.error()));
    return;
  }
  log_warning("webhook " + (*updated)->id.to_text() + " is broken: " + (*updated)->state_reason);
  publisher_.on_change();
}

void Control::on(uint32_t, EndpointGone&& message) {
  const Webhook* webhook = registry_.find(message.webhook_number);
  if (webhook == nullptr || !webhook->active()) return;
  Webhook changed = *webhook;
  changed.state = WebhookState::broken;
  changed.state_reason = "the endpoint answered 410 Gone";
  changed.updated_at = wall_now_;
  const auto updated = registry_.update(std::move(changed));
  if (!updated) {  // The next 410 of this endpoint tries again.
    log_error("a webhook whose endpoint is gone stays active, because the store failed: " +
              describe(updated.error()));
    return;
  }
  log_warning("webhook " + (*updated)->id.to_text() + " is broken: its endpoint answered 410 Gone");
  publisher_.on_change();
}

void Control::on(uint32_t shard, SegmentWanted&&) {
  journals_.want(shard);
  next_due_ = now_;
}

void Control::on(uint32_t shard, SegmentSealed&& message) {
  journals_.on_sealed(shard, message.number);
  ledger_.on_sealed(shard, message.number);
  next_due_ = now_;
}

void Control::on(uint32_t shard, PayloadWanted&& message) {
  PayloadRead answer{.ticket = message.ticket};
  auto event = journals_.read_event(message.event);
  if (event) {
    answer.event = std::move(*event);
  } else {
    answer.error = event.error();
  }
  post_.send(shard, std::move(answer));
}

void Control::on(uint32_t shard, SnapshotSeen&& message) {
  publisher_.on_seen(shard, message.version);
  if (publisher_.settled() && !table_.reclaim()) next_due_ = now_ + retry_interval;
}

void Control::on(uint32_t, RedeliverDone&& message) {
  auto waiting = redelivering_.extract(message.ticket);
  if (waiting.empty()) return;
  auto& [shard, reply, api] = waiting.mapped();
  if (message.failed) {
    Problem problem = refusal(503, "the redelivery was not stored: " + describe(message.error));
    if (message.error.code == Errc::out_of_space) problem.status = 507;
    problem.retry_after_s = 5;
    *reply.response = refusal_of(api, problem);
  }
  post_.send(shard, std::move(reply));
}

void Control::on(uint32_t shard, StorageFailed&& message) {
  if (!storage_failure_) storage_failure_ = message.error;
  log_error("the journal of shard " + std::to_string(shard) +
            " failed; nothing more is accepted until a restart: " + describe(message.error));
}

// --- requests -----------------------------------------------------------------------------------

// answer ─> the API that the path belongs to ─> route ─> token and scope ─> the operation

Answer Control::answer(const ApiRequest& message, Outgoing& outgoing) {
  const http::Request& request = *message.request;
  const dialect::Dialect* dialect = nullptr;
  for (const dialect::Dialect* candidate : dialect::all()) {
    if (candidate->owns_path(request.path)) dialect = candidate;
  }
  const auto routes = dialect != nullptr ? dialect->routes() : native_routes();
  const auto refuse_here = [&](const Problem& problem) {
    return Answer{refusal_of(dialect, problem)};
  };
  auto found = api::find_route(routes, request.method, request.path);
  if (std::holds_alternative<api::NoSuchPath>(found)) {
    return refuse_here(refusal(404, "there is no such path"));
  }
  if (const auto* wrong = std::get_if<api::WrongMethod>(&found)) {
    Answer refused = refuse_here(refusal(405, "this path takes other methods: " + wrong->allow));
    refused.response.headers.push_back({"Allow", wrong->allow});
    return refused;
  }
  if (!request.body.empty() && !is_json_type(request.header("content-type"))) {
    return refuse_here(refusal(415, "send the body as application/json", "Content-Type"));
  }
  const auto& match = std::get<api::Match>(found);
  if (dialect != nullptr) return answer_dialect(*dialect, message, match, outgoing);
  return answer_native(message, match, outgoing);
}

Answer Control::answer_native(const ApiRequest& message, const api::Match& match,
                              Outgoing& outgoing) {
  auto caller = authenticate(*message.request, table_.current(), match.route->scope);
  if (auto* refused = std::get_if<http::Response>(&caller)) return {std::move(*refused)};
  const auto* token = std::get<const subscription::Token*>(caller);
  return run(static_cast<Operation>(match.route->operation), call_of(message, match, token),
             outgoing);
}

Answer Control::answer_dialect(const dialect::Dialect& dialect, const ApiRequest& message,
                               const api::Match& match, Outgoing& outgoing) {
  const subscription::Token* token = nullptr;
  if (match.route->access == api::Access::token) {
    using enum http::TokenForm;
    auto caller = authenticate(*message.request, table_.current(), match.route->scope,
                               {.form = dialect.takes_bare_token() ? either : bearer,
                                .other_header = match.route->token_header});
    if (auto* refused = std::get_if<http::Response>(&caller)) {
      return {dialect.refuse(refusal(refused->status, "the token is missing or unknown"))};
    }
    token = std::get<const subscription::Token*>(caller);
  }
  const Call call = call_of(message, match, token);
  std::optional<api::Rate> rate;
  const auto limits = dialect.rate_limits();
  if (limits && token != nullptr) {
    rate = rate_limiter_.count(
        {.api = dialect.name(), .organization = token->organization, .token_number = token->number},
        *limits, now_);
    if (rate->exceeded()) {
      http::Response refused = dialect.refuse_rate(*rate);
      dialect.write_rate(*rate, refused);
      return {std::move(refused)};
    }
  }
  desk_.begin(call.organization, wall_now_);
  Answer answer = dialect.handle(*match.route, call, desk_);
  if (rate) dialect.write_rate(*rate, answer.response);
  if (auto made = desk_.take_outgoing()) outgoing = std::move(*made);
  outgoing.api = &dialect;
  RINGPOST_ASSERT((answer.when == Answer::When::stored) == static_cast<bool>(outgoing.event));
  return answer;
}

Call Control::call_of(const ApiRequest& message, const api::Match& match,
                      const subscription::Token* token) const {
  const http::Request& request = *message.request;
  std::string base = options_.public_url;
  if (base.empty())
    base = (message.tls ? "https://" : "http://") + std::string{request.header("host")};
  return {.request = request,
          .token = token,
          .organization = token != nullptr ? token->organization : std::string{},
          .parameters = match.parameters,
          .base_url = std::move(base),
          .peer = &message.peer,
          .webhook_ips = options_.webhook_ips,
          .now = wall_now_};
}

Answer Control::run(Operation operation, const Call& call, Outgoing& outgoing) {
  switch (operation) {
    case Operation::webhook_create: return webhook_api_.create(call);
    case Operation::webhook_list: return webhook_api_.list(call);
    case Operation::webhook_show: return webhook_api_.show(call);
    case Operation::webhook_update: return webhook_api_.update(call);
    case Operation::webhook_delete: return webhook_api_.remove(call);
    case Operation::webhook_enable: return webhook_api_.set_active(call, true);
    case Operation::webhook_disable: return webhook_api_.set_active(call, false);
    case Operation::webhook_rotate_secret: return webhook_api_.rotate_secret(call);
    case Operation::webhook_ping: return delivery_api_.ping(call, outgoing);
    case Operation::webhook_deliveries: return delivery_api_.list(call);
    case Operation::delivery_show: return delivery_api_.show(call);
    case Operation::delivery_redeliver: return delivery_api_.redeliver(call, outgoing);
    case Operation::event_show: return delivery_api_.show_event(call);
    case Operation::status_show: return show_status(status_facts(), history_, registry_, counters_);
  }
  RINGPOST_UNREACHABLE();
}

StatusFacts Control::status_facts() const {
  return {.uptime = now_ - started_at_.value_or(now_),
          .storage_failure = storage_failure_ ? storage_failure_ : journals_.failure(),
          .journal_bytes = journals_.bytes()};
}

void Control::send_outgoing(uint32_t shard, ApiReply reply, Outgoing outgoing) {
  if (redelivering_.size() >= redelivering_max) {
    Problem problem = refusal(503, "too many redeliveries wait for the disk");
    problem.retry_after_s = 1;
    *reply.response = refusal_of(outgoing.api, problem);
    post_.send(shard, std::move(reply));
    return;
  }
  const uint64_t ticket = next_ticket_++;
  redelivering_.emplace(ticket, Redelivering{shard, std::move(reply), outgoing.api});
  post_.send(outgoing.shard, Redeliver{ticket, std::move(outgoing.event)});
}

// --- housekeeping -------------------------------------------------------------------------------

bool Control::step(WallTime wall_now, Instant now) {
  wall_now_ = wall_now;
  begin(now);
  const auto preparing = journals_.step(wall_now);
  provide_segments();
  const bool removing = retention_.step(wall_now, now);
  const bool reclaimed = table_.reclaim();
  next_due_.reset();
  if (retention_.pending()) next_due_ = now + retention_interval;
  if (preparing == JournalAccess::Progress::stuck || !reclaimed) next_due_ = now + retry_interval;
  const bool writing = registry_.failing().step(now);
  if (const auto due = registry_.failing().due())
    next_due_ = std::min(next_due_.value_or(*due), *due);
  return preparing == JournalAccess::Progress::working || removing || writing;
}

void Control::provide_segments() {
  while (auto ready = journals_.take()) {
    ledger_.on_opened(ready->journal, ready->segment.number);
    post_.send(ready->journal, SegmentReady{ready->segment});
  }
}

Result<std::optional<std::string>> mint_admin_token(Store& store, WallTime now, Prng& random) {
  bool any = false;
  const auto loaded = store.load([](Webhook&&) {}, [&](subscription::Token&&) { any = true; });
  if (!loaded) return loaded.error();
  if (any) return std::optional<std::string>{};
  std::string text = crypto::token("rp_", 32);
  subscription::Token token;
  token.id = Ulid::mint(now, random);
  token.name = "admin";
  token.scopes = static_cast<uint8_t>(subscription::Scope::admin);
  token.sha256 = crypto::sha256(as_bytes(text));
  token.created_at = now;
  if (const auto stored = store.insert_token(token); !stored) return stored.error();
  return std::optional{std::move(text)};
}

}  // namespace ringpost::control
