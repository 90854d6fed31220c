#include "ingest/intake.h"

#include "base/json_writer.h"
#include "http/authorization.h"

#include <algorithm>

namespace ringpost::ingest {
namespace {

/// How soon a duplicate of another shard's pending event is looked at again. About one commit.
constexpr Duration look_again_after = std::chrono::milliseconds{1};

http::Problem to_problem(Refusal&& refusal) {
  http::Problem problem{.status = refusal.status, .detail = std::move(refusal.detail)};
  switch (refusal.status) {
    case 409: problem.type = "urn:ringpost:id-conflict"; break;
    case 413: problem.type = "urn:ringpost:too-large"; break;
    case 415: problem.type = "urn:ringpost:unknown-content-type"; break;
    case 422: problem.type = "urn:ringpost:invalid-event"; break;
    default: problem.type = "urn:ringpost:malformed"; break;
  }
  if (refusal.line > 0) problem.line = refusal.line;
  problem.member = std::move(refusal.member);
  return problem;
}

void write_ids(const std::vector<journal::EventView>& views, std::string& ids) {
  JsonWriter json{ids};
  json.begin_array();
  for (const journal::EventView& view : views) {
    json.begin_object();
    if (view.id_given) {
      json.member("id", view.id);
    } else {
      json.member("id", view.uid.to_text());
    }
    json.end_object();
  }
  json.end_array();
}

}  // namespace

Intake::Intake(const Parts& parts, const Options& options)
    : parts_(parts),
      options_(options),
      parser_(options.limits),
      tokens_(options.token_hash_keys),
      throttle_(options.token_hash_keys[0]) {
  accepted_.status = 202;
}

void Intake::set_limits(const EventLimits& limits) {
  options_.limits = limits;
  parser_.set_limits(limits);
}

Intake::~Intake() {
  RINGPOST_ASSERT(idle());
}

// --- the request ---------------------------------------------------------------------------------

void Intake::on_request(http::RequestHandle handle, const http::Request& request,
                        const io::Address& peer, const subscription::Snapshot& snapshot) {
  if (const auto problem = accept(handle, request, peer, snapshot)) {
    parts_.counters.add(Counter::events_refused);
    refuse(handle, *problem);
  }
  views_.clear();
  fresh_.clear();
}

std::optional<http::Problem> Intake::authenticate(const http::Request& request,
                                                  const io::Address& peer,
                                                  const subscription::Snapshot& snapshot,
                                                  const subscription::Token*& token) {
  const std::string_view text = http::presented_token(request, http::TokenForm::bearer);
  token = tokens_.find(text, snapshot, parts_.ring.wall_now());
  if (token == nullptr) return unauthenticated(request, peer);
  if (!token->allows(subscription::Scope::events_write)) {
    return http::Problem{.status = 403,
                         .type = "urn:ringpost:not-permitted",
                         .detail = "The token lacks the scope `events:write`."};
  }
  return std::nullopt;
}

/// After the token, so that a good one is never kept waiting by others' wrong ones. What is wrong
/// with it (unknown, expired, no token at all) is not told.
http::Problem Intake::unauthenticated(const http::Request& request, const io::Address& peer) {
  http::Problem problem{
      .status = 401,
      .type = "urn:ringpost:unauthenticated",
      .detail =
          "Send `Authorization: Bearer <token>` with a token of this relay that is in force."};
  if (!request.has_header("authorization")) return problem;
  parts_.counters.add(Counter::tokens_refused);
  problem.retry_after_s = throttle_.on_failure(peer, parts_.ring.now());
  if (problem.retry_after_s == 0) return problem;
  parts_.counters.add(Counter::tokens_throttled);
  problem.status = 429;
  problem.type = "urn:ringpost:too-many-failures";
  problem.detail =
      "Too many invalid tokens came from this address. A valid token is still accepted.";
  return problem;
}

std::optional<http::Problem> Intake::before_body(const http::Request& head, const io::Address& peer,
                                                 const subscription::Snapshot& snapshot,
                                                 BodyTerms& terms) {
  const subscription::Token* token = nullptr;
  if (auto problem = authenticate(head, peer, snapshot, token)) return problem;
  terms = {.bytes_max = body_bytes_max(packing_of(head), options_.limits), .vouched = true};
  return admit(1, 0);
}

std::optional<http::Problem> Intake::accept(http::RequestHandle handle,
                                            const http::Request& request, const io::Address& peer,
                                            const subscription::Snapshot& snapshot) {
  const subscription::Token* token = nullptr;
  if (auto problem = authenticate(request, peer, snapshot, token)) return problem;
  // Before the work of reading, what would be refused after it.
  if (auto problem = admit(1, request.body.size())) return problem;
  if (auto refusal = parser_.parse(request, views_)) return to_problem(std::move(*refusal));
  if (auto problem = refuse_sources(request, *token)) return problem;

  PendingRequest pending{.handle = handle, .received_at = parts_.ring.now()};
  for (size_t index = 0; index < views_.size(); ++index) {
    views_[index].organization = token->organization;
    if (auto problem = take(index, *token, snapshot, pending)) {
      abandon_fresh();
      return problem;
    }
  }
  uint64_t bytes = 0;
  for (const Fresh& fresh : fresh_) bytes += fresh.event->record().size();
  if (!fresh_.empty()) {
    if (auto problem = admit(static_cast<uint32_t>(fresh_.size()), bytes)) {
      abandon_fresh();
      return problem;
    }
  }
  append_all(std::move(pending));
  return std::nullopt;
}

/// A token may be restricted to some sources: one event of another refuses them all.
std::optional<http::Problem> Intake::refuse_sources(const http::Request& request,
                                                    const subscription::Token& token) const {
  if (!token.restricted()) return std::nullopt;
  const auto foreign = std::ranges::find_if(
      views_, [&](const journal::EventView& view) { return !token.may_touch(view.source); });
  if (foreign == views_.end()) return std::nullopt;
  http::Problem problem{.status = 403,
                        .type = "urn:ringpost:not-permitted",
                        .detail = "The token may not send events of this source.",
                        .member = "source"};
  const uint32_t place = place_of(request, static_cast<size_t>(foreign - views_.begin()));
  if (place > 0) problem.line = place;
  return problem;
}

std::optional<http::Problem> Intake::admit(uint32_t count, uint64_t bytes) const {
  const auto admitted = parts_.log.admit(count, bytes);
  if (admitted) return std::nullopt;
  return problem_of(admitted.error());
}

/// Sorts one event of `views_` into fresh ones and duplicates, or says why the request is refused.
std::optional<http::Problem> Intake::take(size_t index, const subscription::Token& token,
                                          const subscription::Snapshot& snapshot,
                                          PendingRequest& pending) {
  journal::EventView& view = views_[index];
  std::optional<IdempotencyKey> key;
  if (view.id_given) {
    key = parts_.window.key(view.organization, view.source, view.id);
    switch (parts_.window.reserve(*key, parts_.window.content(view), parts_.ring.now())) {
      case IdempotencyWindow::Reservation::fresh: break;
      case IdempotencyWindow::Reservation::full: return overloaded();
      case IdempotencyWindow::Reservation::conflict: return to_problem(id_conflict(index));
      case IdempotencyWindow::Reservation::duplicate_pending:
        pending.unsettled.push_back(*key);
        ++pending.duplicates;
        return std::nullopt;
      case IdempotencyWindow::Reservation::duplicate_durable:
        ++pending.duplicates;
        return std::nullopt;
    }
  }
  fresh_.push_back({encode(view, token, snapshot), key});
  ++pending.accepted;
  return std::nullopt;
}

Refusal Intake::id_conflict(size_t index) const {
  const journal::EventView& view = views_[index];
  return {409,
          "An event of `" + std::string{view.source} + "` with the id `" + std::string{view.id} +
              "` and another content was sent before. Repeat an event byte for byte, and give "
              "another event another id.",
          parser_.line_of(index), "id"};
}

journal::EventRef Intake::encode(journal::EventView& view, const subscription::Token& token,
                                 const subscription::Snapshot& snapshot) {
  view.uid = Ulid::mint(parts_.ring.wall_now(), parts_.ring.random());
  view.accepted_at = parts_.ring.wall_now();
  char minted[Ulid::text_size];
  if (!view.id_given) {
    view.uid.write_text(minted);
    view.id = {minted, sizeof minted};
  }
  webhooks_.clear();
  matcher_.match(snapshot, view, &token, webhooks_);
  webhook_numbers_.resize(webhooks_.size() * sizeof(uint32_t));
  for (size_t index = 0; index < webhooks_.size(); ++index) {
    store_le(&webhook_numbers_[index * sizeof(uint32_t)], webhooks_[index]->number);
  }
  view.webhook_numbers = webhook_numbers_;
  journal::EventRef event = journal::EventCodec::encode(view);
  view.webhook_numbers = {};
  if (!view.id_given) view.id = {};  // `minted` ends here.
  return event;
}

void Intake::append_all(PendingRequest&& pending) {
  JsonWriter json{pending.body};
  std::string ids;
  write_ids(views_, ids);
  json.begin_object().member("accepted", pending.accepted).member("duplicates", pending.duplicates);
  json.key("events").raw(ids).end_object();

  for (size_t index = 0; index < fresh_.size(); ++index) {
    Fresh& fresh = fresh_[index];
    const auto position = parts_.log.append(fresh.event->record());
    if (!position) {
      // Admitted, and yet refused. What was appended will be stored, the rest not: neither an
      // acceptance nor a refusal would be true.
      fresh_.erase(fresh_.begin(), fresh_.begin() + static_cast<std::ptrdiff_t>(index));
      abandon_fresh();
      return parts_.answers.drop(pending.handle);
    }
    pending.last = *position;
    fresh.event->set_position(*position);
    events_.push_back({*position, std::move(fresh.event), fresh.key, std::nullopt});
  }
  if (pending.last.valid()) {
    requests_.push_back(std::move(pending));
  } else {
    settle(std::move(pending));
  }
}

void Intake::abandon_fresh() {
  for (const Fresh& fresh : fresh_) {
    if (fresh.key) parts_.window.abandon(*fresh.key);
  }
}

void Intake::append_own(journal::EventRef event, uint64_t ticket) {
  const auto position = parts_.log.append(event->record());
  if (!position) {
    return parts_.sink.on_own_event_settled(ticket, event->view().uid, position.error());
  }
  event->set_position(*position);
  events_.push_back({*position, std::move(event), std::nullopt, ticket});
}

// --- the disk ------------------------------------------------------------------------------------

void Intake::on_durable(journal::Position through) {
  while (!events_.empty() && events_.front().position < through) {
    PendingEvent durable = std::move(events_.front());
    events_.pop_front();
    if (durable.key) parts_.window.confirm(*durable.key);
    const Ulid uid = durable.event->view().uid;
    parts_.sink.on_event_durable(std::move(durable.event));
    if (durable.ticket) parts_.sink.on_own_event_settled(*durable.ticket, uid, std::nullopt);
  }
  while (!requests_.empty() && requests_.front().last < through) {
    PendingRequest request = std::move(requests_.front());
    requests_.pop_front();
    settle(std::move(request));
  }
}

void Intake::on_storage_failed(const Error& error) {
  for (PendingRequest& request : std::exchange(requests_, {})) parts_.answers.drop(request.handle);
  for (PendingEvent& event : std::exchange(events_, {})) {
    if (event.key) parts_.window.abandon(*event.key);
    if (event.ticket)
      parts_.sink.on_own_event_settled(*event.ticket, event.event->view().uid, error);
  }
}

// --- the answer ----------------------------------------------------------------------------------

/// The request's own events are durable: answers it, or waits for those that its duplicates repeat.
void Intake::settle(PendingRequest&& request) {
  if (!drop_settled_keys(request)) return;
  if (request.unsettled.empty()) return reply(request);
  waiting_.push_back(std::move(request));
  if (!look_again_timer_.armed()) {
    parts_.ring.arm<&Intake::look_again>(*this, look_again_timer_, look_again_after);
  }
}

/// Forgets the keys that became durable. @returns false if one was abandoned: the request is then
/// answered or dropped.
bool Intake::drop_settled_keys(PendingRequest& request) {
  bool abandoned = false;
  std::erase_if(request.unsettled, [&](const IdempotencyKey& key) {
    const auto state = parts_.window.state(key, parts_.ring.now());
    abandoned |= state == IdempotencyWindow::State::absent;
    return state != IdempotencyWindow::State::pending;
  });
  if (!abandoned) return true;
  // The first event was not stored, so the second was not either. If others of this request were,
  // a refusal would be as wrong as an acceptance.
  if (request.accepted > 0) {
    parts_.answers.drop(request.handle);
  } else {
    parts_.counters.add(Counter::events_refused);
    refuse(request.handle, overloaded());
  }
  return false;
}

void Intake::look_again() {
  for (PendingRequest& request : std::exchange(waiting_, {})) settle(std::move(request));
}

void Intake::reply(const PendingRequest& request) {
  parts_.counters.add(Counter::events_accepted, request.accepted);
  parts_.counters.add(Counter::events_duplicate, request.duplicates);
  parts_.counters.accept_latency.record(parts_.ring.now() - request.received_at);
  accepted_.body = request.body;
  parts_.answers.answer(request.handle, accepted_);
}

void Intake::refuse(http::RequestHandle handle, const http::Problem& problem) {
  parts_.answers.answer(handle, refusal_response(problem));
}

http::Problem Intake::problem_of(const Error& error) const {
  return journal_refusal(error, options_.retry_after_s);
}

http::Problem Intake::overloaded() const {
  return problem_of({Errc::overloaded, Side::self});
}

}  // namespace ringpost::ingest
