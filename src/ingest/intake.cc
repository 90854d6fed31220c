#include "ingest/intake.h"

#include "base/json_writer.h"
#include "crypto/base64.h"
#include "dialect/content.h"
#include "dialect/dialect.h"
#include "dialect/matcher.h"
#include "http/authorization.h"
#include "http/content_coding.h"
#include "http/hops.h"
#include "http/syntax.h"
#include "http/trace_context.h"
#include "incoming/receiver.h"
#include "ingest/unpacking.h"
#include "subscription/pending_counts.h"

#include <algorithm>

namespace ringpost::ingest {
namespace {

/// How soon a duplicate of another shard's pending event is looked at again. About one commit.
constexpr Duration look_again_after = std::chrono::milliseconds{1};

/// Work is counted in steps of a few nanoseconds (dialect::Matcher::proceed): what a turn does for
/// all requests together, what one request gets at a time, and what an event costs beside a step
/// for each byte of it.
constexpr int64_t work_per_turn = 4'000'000;
constexpr int64_t work_per_slice = 1'000'000;
constexpr int64_t event_work = 1'000;

/// Requests are seldom read in more than one turn: as many are kept for their buffers.
constexpr size_t spare_readings_max = 2;

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

void write_id(JsonWriter& json, const journal::EventView& view) {
  if (view.id_given) {
    json.member("id", view.id);
  } else {
    json.member("id", view.uid.to_text());
  }
}

}  // namespace

struct Intake::Reading {
  explicit Reading(const EventLimits& limits) : parser(limits) {}

  /// Of the next event to be read.
  journal::EventView& view() { return views[next]; }

  std::unique_ptr<http::Request> request;
  std::optional<Unpacking> unpacking;          ///< Of the request, until it is done.
  std::string organization;                    ///< Who gets the events.
  const subscription::Token* token = nullptr;  ///< The snapshot's; behind a turn `kept_token`.
  std::optional<subscription::Token> kept_token;
  /// Of a call of a git host, in place of a token; likewise.
  const subscription::GitSource* source = nullptr;
  std::optional<subscription::GitSource> kept_source;
  std::optional<incoming::Receiver::Notice> notice;  ///< There is no event: the answer.
  bool answers_id = false;                           ///< Receiver::Accepted::answers_id.
  std::string file_id;                               ///< Of a file: what events without an id get.
  std::deque<std::string> file_ids;                  ///< Those that they got.
  bool parsed = false;
  bool matching = false;  ///< The next event's key is reserved, its webhooks are being asked.
  size_t next = 0;
  std::optional<IdempotencyKey> key;  ///< Of the next event, while `matching`.
  PendingRequest pending;

  std::string trace_parent;            ///< What the request's headers say of a trace.
  std::deque<std::string> extensions;  ///< With the `tracestate` of the request.

  EventParser parser;
  std::unique_ptr<incoming::Receiver> receiver;  ///< Made for the first call.
  std::vector<journal::EventView> views;
  std::vector<Fresh> fresh;
  std::vector<std::optional<uint32_t>> webhook_counts;  ///< Of the views read; none: a duplicate.
  dialect::Matcher matcher;
};

Intake::Intake(const Parts& parts, const Options& options)
    : parts_(parts),
      options_(options),
      tokens_(options.token_hash_keys),
      throttle_(options.token_hash_keys[0]),
      id_clock_(options.ids_after),
      work_left_(work_per_turn) {}

void Intake::set_limits(const EventLimits& limits) {
  options_.limits = limits;
}

Intake::~Intake() {
  RINGPOST_ASSERT(idle());
}

// --- the request ---------------------------------------------------------------------------------

void Intake::on_request(http::RequestHandle handle, std::unique_ptr<http::Request> request,
                        const io::Address& peer, const subscription::Snapshot& snapshot) {
  const subscription::Token* token = nullptr;
  auto problem = authenticate(*request, peer, snapshot, token);
  // Before the work of reading, what would be refused after it.
  if (!problem) problem = admit(1, request->body.size());
  if (problem) {
    return refuse(handle, *problem);
  }
  ReadingOwner reading = take_reading();
  reading->token = token;
  reading->organization = token->organization;
  if (http::content_coding(*request) == http::ContentCoding::gzip) {
    reading->unpacking.emplace(*request, body_bytes_max(packing_of(*request), options_.limits));
  }
  begin(std::move(reading), handle, std::move(request), snapshot);
}

void Intake::begin(ReadingOwner reading, http::RequestHandle handle,
                   std::unique_ptr<http::Request> request, const subscription::Snapshot& snapshot) {
  reading->request = std::move(request);
  reading->pending.handle = handle;
  reading->pending.received_at = parts_.ring.now();
  if (work_left_ <= 0) return give_way(std::move(reading));
  read(std::move(reading), snapshot);
}

namespace {

/// The source that a path names; nullptr if there is none.
const subscription::GitSource* find_source(std::string_view path,
                                           const subscription::Snapshot& snapshot) {
  const auto address = incoming::read_address(path);
  const auto* source = address ? snapshot.git_source(address->sha256) : nullptr;
  return source != nullptr && address->names(*source) ? source : nullptr;
}

}  // namespace

std::optional<http::Problem> Intake::before_call_body(const http::Request& head,
                                                      const subscription::Snapshot& snapshot,
                                                      BodyTerms& terms) {
  const subscription::GitSource* source = find_source(head.path, snapshot);
  if (auto problem = incoming::refuse_call(head.path, source)) return problem;
  // The path is known to its host alone.
  terms = {.bytes_max = incoming::body_bytes_max(source->host),
           .organization = subscription::organization_key(source->organization)};
  return admit(1, 0);
}

void Intake::on_call(http::RequestHandle handle, std::unique_ptr<http::Request> request,
                     const subscription::Snapshot& snapshot) {
  const subscription::GitSource* source = find_source(request->path, snapshot);
  if (const auto problem = incoming::refuse_call(request->path, source)) {
    return refuse(handle, *problem);
  }
  if (const auto problem = admit(1, request->body.size())) return refuse(handle, *problem);
  ReadingOwner reading = take_reading();
  reading->source = source;
  reading->organization = source->organization;
  reading->pending.is_call = true;
  begin(std::move(reading), handle, std::move(request), snapshot);
}

void Intake::on_file(http::RequestHandle handle, std::unique_ptr<http::Request> request,
                     std::string organization, std::string id,
                     const subscription::Snapshot& snapshot) {
  const uint64_t bytes_max = body_bytes_max(packing_of(*request), options_.limits);
  if (request->body.size() > bytes_max) {
    return refuse(handle, to_problem({413, "More than " + std::to_string(bytes_max) + " bytes."}));
  }
  if (const auto problem = admit(1, request->body.size())) return refuse(handle, *problem);
  ReadingOwner reading = take_reading();
  reading->organization = std::move(organization);
  reading->file_id = std::move(id);
  begin(std::move(reading), handle, std::move(request), snapshot);
}

/// One slice at least, so that those who come in this turn take nothing from those who wait.
void Intake::turn(const subscription::Snapshot& snapshot) {
  work_left_ = std::max(work_left_, work_per_slice);
  for (size_t count = readings_.size(); count > 0 && work_left_ > 0; --count) {
    ReadingOwner reading = std::move(readings_.front());
    readings_.pop_front();
    read(std::move(reading), snapshot);
  }
  work_left_ = work_per_turn;
}

Intake::ReadingOwner Intake::take_reading() {
  if (spare_readings_.empty()) return std::make_unique<Reading>(options_.limits);
  ReadingOwner reading = std::move(spare_readings_.back());
  spare_readings_.pop_back();
  return reading;
}

/// Does a slice of what there is to do.
void Intake::read(ReadingOwner reading, const subscription::Snapshot& snapshot) {
  const int64_t slice = std::min(work_left_, work_per_slice);
  int64_t slice_left = slice;
  auto problem = unpack(*reading, slice_left);
  if (!problem && reading->unpacking) {
    work_left_ -= slice - slice_left;
    return give_way(std::move(reading));
  }
  if (!problem) problem = parse(*reading);
  if (!problem && reading->notice) {
    answer_notice(*reading);
    return end(std::move(reading));
  }
  if (!problem) problem = read_events(*reading, snapshot, slice_left);
  work_left_ -= slice - slice_left;
  const bool all_read = reading->next == reading->views.size();
  if (!problem && !all_read) return give_way(std::move(reading));
  if (!problem) problem = store(*reading);
  if (problem) {
    abandon_fresh(*reading);
    refuse(reading->pending.handle, *problem);
  }
  end(std::move(reading));
}

std::optional<http::Problem> Intake::unpack(Reading& reading, int64_t& work_left) {
  if (!reading.unpacking) return std::nullopt;
  auto problem = reading.unpacking->proceed(parts_.answers, reading.pending.handle, work_left);
  if (problem || reading.unpacking->done()) reading.unpacking.reset();
  return problem;
}

namespace {

/// Several headers are one list, in their order. Empty if it may not be passed on.
std::string trace_state_of(const http::Request& request) {
  std::string state;
  for (const http::Header& header : request.headers) {
    if (!http::equal_ignoring_case(header.name, "tracestate")) continue;
    state.append(state.empty() ? "" : ",").append(header.value);
  }
  return http::is_trace_state(state) ? state : std::string{};
}

/// @param extensions  an object; empty: none.
std::string with_trace_state(std::string_view extensions, std::string_view state) {
  const bool more = extensions.size() > 2;
  std::string json = more ? std::string{extensions.substr(0, extensions.size() - 1)} + "," : "{";
  json.append(R"("tracestate":)");
  append_json_string(json, state);
  return json + "}";
}

}  // namespace

std::optional<http::Problem> Intake::parse(Reading& reading) {
  if (std::exchange(reading.parsed, true)) return std::nullopt;
  uint32_t hops = 0;
  if (auto problem = http::read_hops(*reading.request, hops)) return problem;
  auto problem = reading.source == nullptr ? parse_events(reading) : parse_call(reading);
  for (journal::EventView& view : reading.views) {
    view.organization = reading.organization;
    view.hops = hops;
  }
  const bool by_producer = reading.source == nullptr && reading.file_id.empty();
  if (!problem && by_producer) continue_trace(reading);
  return problem;
}

/// Events that say nothing of a trace are in that of the request. What of its headers breaks the
/// rules counts for nothing (W3C Trace Context, 4.3).
void Intake::continue_trace(Reading& reading) {
  const auto context = http::parse_trace_parent(http::only_header(*reading.request, "traceparent"));
  if (!context) return;
  reading.trace_parent.resize(http::TraceContext::text_size);
  http::write_trace_parent(*context, reading.trace_parent.data());
  const std::string state = trace_state_of(*reading.request);
  for (journal::EventView& view : reading.views) {
    if (!view.trace_parent.empty()) continue;
    view.trace_parent = reading.trace_parent;
    if (state.empty() || view.extensions.find(R"("tracestate":)") != std::string_view::npos) {
      continue;
    }
    reading.extensions.push_back(with_trace_state(view.extensions, state));
    view.extensions = reading.extensions.back();
  }
}

std::optional<http::Problem> Intake::parse_events(Reading& reading) {
  reading.parser.set_limits(options_.limits);
  if (auto refusal = reading.parser.parse(*reading.request, reading.views)) {
    return to_problem(std::move(*refusal));
  }
  if (!reading.file_id.empty()) {
    give_ids(reading);
    return std::nullopt;
  }
  return refuse_sources(reading);
}

/// A file that is offered again after a crash has the same ones.
void Intake::give_ids(Reading& reading) {
  for (size_t index = 0; index < reading.views.size(); ++index) {
    journal::EventView& view = reading.views[index];
    if (view.id_given) continue;
    const uint32_t line = reading.parser.line_of(index);
    view.id = reading.file_ids.emplace_back(
        line == 0 ? reading.file_id : reading.file_id + '-' + std::to_string(line));
    view.id_given = true;
  }
}

std::optional<http::Problem> Intake::parse_call(Reading& reading) {
  if (reading.receiver == nullptr) reading.receiver = std::make_unique<incoming::Receiver>();
  auto outcome = reading.receiver->receive(*reading.request, *reading.source,
                                           parts_.ring.wall_now(), reading.views);
  if (auto* notice = std::get_if<incoming::Receiver::Notice>(&outcome)) {
    reading.notice = std::move(*notice);
  }
  if (auto* accepted = std::get_if<incoming::Receiver::Accepted>(&outcome)) {
    reading.answers_id = accepted->answers_id;
    if (accepted->answers_id) reading.pending.status = 201;
    if (accepted->answer) {
      reading.pending.status = accepted->answer->status;
      reading.pending.body = std::move(accepted->answer->body);
    }
  }
  auto* problem = std::get_if<http::Problem>(&outcome);
  return problem == nullptr ? std::nullopt : std::optional{std::move(*problem)};
}

void Intake::answer_notice(const Reading& reading) {
  http::Response response;
  response.status = reading.notice->status;
  response.body = reading.notice->body;
  parts_.answers.answer(reading.pending.handle, response);
}

/// Until all are read, or the work is used up: `reading.next` tells.
std::optional<http::Problem> Intake::read_events(Reading& reading,
                                                 const subscription::Snapshot& snapshot,
                                                 int64_t& work_left) {
  for (; reading.next < reading.views.size(); ++reading.next) {
    if (!reading.matching) {
      if (work_left <= 0) return std::nullopt;
      work_left -= event_work + static_cast<int64_t>(reading.view().data.size());
      if (auto problem = reserve(reading)) return problem;
      if (!reading.matching) continue;  // A duplicate.
      reading.matcher.begin(snapshot, reading.view(), reading.token);
    }
    if (!reading.matcher.proceed(snapshot, work_left)) return std::nullopt;
    if (auto problem = refuse_share(reading)) return problem;
    encode(reading, snapshot);
    reading.matching = false;
  }
  return std::nullopt;
}

/// All events are read: appends them, or says why none is stored.
std::optional<http::Problem> Intake::store(Reading& reading) {
  uint64_t bytes = 0;
  for (const Fresh& fresh : reading.fresh) bytes += fresh.event->record().size();
  if (!reading.fresh.empty()) {
    if (auto problem = admit(static_cast<uint32_t>(reading.fresh.size()), bytes)) return problem;
  }
  append_all(reading);
  return std::nullopt;
}

/// The reading goes on in a later turn: what it has of this one's snapshot is copied.
void Intake::give_way(ReadingOwner reading) {
  if (reading->token != nullptr && !reading->kept_token) {
    reading->kept_token = *reading->token;
    reading->token = &*reading->kept_token;
  }
  if (reading->source != nullptr && !reading->kept_source) {
    reading->kept_source = *reading->source;
    reading->source = &*reading->kept_source;
  }
  readings_.push_back(std::move(reading));
}

/// The reading is over; its buffers are of use to the next one.
void Intake::end(ReadingOwner reading) {
  if (spare_readings_.size() == spare_readings_max) return;
  reading->unpacking.reset();
  reading->request.reset();
  reading->token = nullptr;
  reading->kept_token.reset();
  reading->source = nullptr;
  reading->kept_source.reset();
  reading->notice.reset();
  reading->parsed = reading->matching = reading->answers_id = false;
  reading->file_id.clear();
  reading->file_ids.clear();
  reading->extensions.clear();
  reading->next = 0;
  reading->key.reset();
  reading->pending = {};
  reading->views.clear();
  reading->fresh.clear();
  reading->webhook_counts.clear();
  spare_readings_.push_back(std::move(reading));
}

namespace {

/// The password of HTTP Basic authentication (RFC 7617), or nothing. Senders of CloudEvents whose
/// sink is only a URL can show a token in no other way.
std::string basic_password(const http::Request& request) {
  constexpr std::string_view scheme = "basic ";
  constexpr size_t text_bytes_max = 2 * http::token_bytes_max;
  const std::string_view text = http::only_header(request, "authorization");
  if (text.size() > text_bytes_max) return {};
  if (!http::equal_ignoring_case(text.substr(0, scheme.size()), scheme)) return {};
  const auto decoded = crypto::base64_decode(http::trim(text.substr(scheme.size())));
  const size_t colon = decoded ? decoded->find(':') : std::string::npos;
  return colon == std::string::npos ? std::string{} : decoded->substr(colon + 1);
}

}  // namespace

std::optional<http::Problem> Intake::authenticate(const http::Request& request,
                                                  const io::Address& peer,
                                                  const subscription::Snapshot& snapshot,
                                                  const subscription::Token*& token) {
  std::string password;
  std::string_view text = http::presented_token(request, http::TokenForm::bearer);
  if (text.empty() && request.path == "/") {  // Of a listener for CloudEvents.
    password = basic_password(request);
    text = password;
  }
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
/// with a token (unknown, expired, deleted) is not told.
http::Problem Intake::unauthenticated(const http::Request& request, const io::Address& peer) {
  http::Problem problem{
      .status = 401,
      .type = "urn:ringpost:unauthenticated",
      .detail = "No token was sent: send the header Authorization: Bearer <token>."};
  if (!request.has_header("authorization")) return problem;
  problem.detail =
      http::presented_token(request, http::TokenForm::bearer).empty()
          ? "No token can be read from the header Authorization: send it once, in the form Bearer "
            "<token>."
          : "This token is not known here, or it has expired or was deleted: send a valid one.";
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
  terms = {.bytes_max = body_bytes_max(packing_of(head), options_.limits),
           .organization = subscription::organization_key(token->organization)};
  return admit(1, 0);
}

/// A token may be restricted to some sources: one event of another refuses them all.
std::optional<http::Problem> Intake::refuse_sources(const Reading& reading) const {
  const subscription::Token& token = *reading.token;
  if (!token.restricted()) return std::nullopt;
  const auto foreign = std::ranges::find_if(
      reading.views, [&](const journal::EventView& view) { return !token.may_touch(view.source); });
  if (foreign == reading.views.end()) return std::nullopt;
  http::Problem problem{.status = 403,
                        .type = "urn:ringpost:not-permitted",
                        .detail = "The token may not send events from this source.",
                        .member = "source"};
  const auto index = static_cast<size_t>(foreign - reading.views.begin());
  const uint32_t place = place_of(*reading.request, index);
  if (place > 0) problem.line = place;
  return problem;
}

std::optional<http::Problem> Intake::admit(uint32_t count, uint64_t bytes) const {
  const auto admitted = parts_.log.admit(count, bytes);
  if (admitted) return std::nullopt;
  return problem_of(admitted.error());
}

/// Says of the next event whether it is fresh (then `matching` is set) or a duplicate, or why the
/// request is refused.
std::optional<http::Problem> Intake::reserve(Reading& reading) {
  const journal::EventView& view = reading.view();
  reading.key.reset();
  if (view.id_given) {
    const IdempotencyKey key = parts_.window.key(view.organization, view.source, view.id);
    switch (parts_.window.reserve(key, parts_.window.content(view), parts_.ring.now())) {
      case IdempotencyWindow::Reservation::fresh: reading.key = key; break;
      case IdempotencyWindow::Reservation::full: return overloaded();
      case IdempotencyWindow::Reservation::conflict:
        if (reading.source == nullptr) return to_problem(id_conflict(reading));
        [[fallthrough]];  // A host may render the same delivery again.
      case IdempotencyWindow::Reservation::duplicate_pending:
        reading.pending.unsettled.push_back(key);
        [[fallthrough]];
      case IdempotencyWindow::Reservation::duplicate_durable:
        ++reading.pending.duplicates;
        reading.webhook_counts.push_back(std::nullopt);
        return std::nullopt;
    }
  }
  reading.matching = true;
  return std::nullopt;
}

Refusal Intake::id_conflict(const Reading& reading) {
  const journal::EventView& view = reading.views[reading.next];
  return {409,
          "The id `" + std::string{view.id} + "` of the source `" + std::string{view.source} +
              "` was already used for different content. To retry, send the same bytes; for a "
              "new event use a new id.",
          reading.parser.line_of(reading.next), "id"};
}

namespace {

/// How many of the webhooks that want the event get it: for some data a dialect has no request, and
/// the delivery ends with that reason.
uint32_t count_sendable(const journal::EventView& event, std::span<const uint32_t> numbers,
                        const subscription::Snapshot& snapshot) {
  if (dialect::data_is_object(event)) return static_cast<uint32_t>(numbers.size());
  const auto count = std::ranges::count_if(numbers, [&](uint32_t number) {
    const subscription::Webhook* webhook = snapshot.webhook(number);
    return webhook == nullptr || dialect::of(*webhook).can_send(event);
  });
  return static_cast<uint32_t>(count);
}

}  // namespace

/// Too much is pending already for a webhook that wants the next event.
std::optional<http::Problem> Intake::refuse_share(const Reading& reading) const {
  auto problem = parts_.sink.refuse_share(reading.organization, reading.matcher.found(),
                                          reading.pending.deliveries);
  if (!problem) return std::nullopt;
  const uint32_t place = place_of(*reading.request, reading.next);
  if (place > 0) problem->line = place;
  return problem;
}

/// The next event, which is fresh, with the webhooks that want it.
void Intake::encode(Reading& reading, const subscription::Snapshot& snapshot) {
  journal::EventView& view = reading.view();
  const WallTime id_time = id_clock_.read(parts_.ring.wall_now(), parts_.ring.now());
  view.uid = Ulid::mint(id_time, parts_.ring.random());
  view.accepted_at = parts_.ring.wall_now();
  char minted[Ulid::text_size];
  if (!view.id_given) {
    view.uid.write_text(minted);
    view.id = {minted, sizeof minted};
  }
  const auto numbers = reading.matcher.found();
  webhook_numbers_.resize(numbers.size() * sizeof(uint32_t));
  for (size_t index = 0; index < numbers.size(); ++index) {
    store_le(&webhook_numbers_[index * sizeof(uint32_t)], numbers[index]);
  }
  view.webhook_numbers = webhook_numbers_;
  reading.fresh.push_back({journal::EventCodec::encode(view), reading.key});
  view.webhook_numbers = {};
  if (!view.id_given) view.id = {};  // `minted` ends here.
  const uint32_t webhooks = count_sendable(view, numbers, snapshot);
  reading.webhook_counts.push_back(webhooks);
  ++reading.pending.accepted;
  reading.pending.deliveries += webhooks;
  reading.pending.unmatched += webhooks == 0 ? 1 : 0;
}

/// The body of the 202: of each event its id, and how many webhooks it goes to or that it was
/// accepted before.
void Intake::write_acceptance(Reading& reading) {
  PendingRequest& pending = reading.pending;
  if (!pending.body.empty()) return;  // The host's own kind of answer.
  JsonWriter json{pending.body};
  if (reading.answers_id) {
    json.begin_object().member("id", reading.views.front().uid.to_uuid_text()).end_object();
    return;
  }
  json.begin_object().member("accepted", pending.accepted).member("duplicates", pending.duplicates);
  json.member("deliveries", pending.deliveries).member("unmatched", pending.unmatched);
  json.member("organization", reading.organization);
  json.key("events").begin_array();
  for (size_t index = 0; index < reading.views.size(); ++index) {
    json.begin_object();
    write_id(json, reading.views[index]);
    if (const auto count = reading.webhook_counts[index]) {
      json.member("webhooks", *count);
    } else {
      json.member("duplicate", true);
    }
    json.end_object();
  }
  json.end_array().end_object();
}

void Intake::append_all(Reading& reading) {
  PendingRequest& pending = reading.pending;
  write_acceptance(reading);
  for (size_t index = 0; index < reading.fresh.size(); ++index) {
    Fresh& fresh = reading.fresh[index];
    const auto position = parts_.log.append(fresh.event->record());
    if (!position) {
      // Admitted, and yet refused. What was appended will be stored, the rest not: neither an
      // acceptance nor a refusal would be true.
      reading.fresh.erase(reading.fresh.begin(),
                          reading.fresh.begin() + static_cast<std::ptrdiff_t>(index));
      abandon_fresh(reading);
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

void Intake::abandon_fresh(Reading& reading) {
  for (const Fresh& fresh : reading.fresh) {
    if (fresh.key) parts_.window.abandon(*fresh.key);
  }
  if (reading.matching && reading.key) parts_.window.abandon(*reading.key);
}

void Intake::append_own(journal::EventRef event, uint64_t ticket, bool by_hand) {
  // As those of producers: an empty queue takes what is larger than its limit.
  const auto admitted = parts_.log.admit(1, event->record().size());
  const auto position =
      admitted ? parts_.log.append(event->record()) : Result<journal::Position>{admitted.error()};
  if (!position) {
    return parts_.sink.on_own_event_settled(ticket, event->view().uid, position.error());
  }
  event->set_position(*position);
  events_.push_back({*position, std::move(event), std::nullopt, ticket, by_hand});
}

// --- the disk ------------------------------------------------------------------------------------

void Intake::on_durable(journal::Position through) {
  while (!events_.empty() && events_.front().position < through) {
    PendingEvent durable = std::move(events_.front());
    events_.pop_front();
    if (durable.key) parts_.window.confirm(*durable.key);
    const Ulid uid = durable.event->view().uid;
    parts_.sink.on_event_durable(std::move(durable.event), durable.by_hand);
    if (durable.ticket) parts_.sink.on_own_event_settled(*durable.ticket, uid, std::nullopt);
  }
  while (!requests_.empty() && requests_.front().last < through) {
    PendingRequest request = std::move(requests_.front());
    requests_.pop_front();
    settle(std::move(request));
  }
}

void Intake::on_storage_failed(const Error& error) {
  for (ReadingOwner& reading : std::exchange(readings_, {})) {  // Nothing of them is stored.
    abandon_fresh(*reading);
    refuse(reading->pending.handle, problem_of(error));
  }
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
  const bool known = request.is_call && request.accepted == 0;
  answer_.status = known ? uint16_t{200} : request.status;
  answer_.body = request.body;
  parts_.answers.answer(request.handle, answer_);
}

void Intake::refuse(http::RequestHandle handle, const http::Problem& problem) {
  count_refusal(parts_.counters, problem);
  parts_.answers.answer(handle, refusal_response(problem));
}

http::Problem Intake::problem_of(const Error& error) const {
  return journal_refusal(error, options_.retry_after_s);
}

http::Problem Intake::overloaded() const {
  return problem_of({Errc::overloaded, Side::self});
}

}  // namespace ringpost::ingest
