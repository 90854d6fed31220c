#include "control/streams.h"

#include "base/json_writer.h"
#include "control/api/delivery_json.h"
#include "control/api/history.h"
#include "journal/format.h"

#include <algorithm>
#include <map>
#include <utility>

// open ─> begin ─> catch_up ⟲ ─> tell_recent ⟲     Falls behind: back to catch_up.
//                      └──────────────┴─> end: the client is gone or slow, or may not listen.

namespace ringpost::control {

using journal::EventView;
using journal::Position;
using subscription::Token;
using subscription::Webhook;

namespace {

// Work is counted in about microseconds of the control thread.
constexpr int64_t step_cost_max = 3000;
constexpr int64_t passed_cost = 1;       // An outcome that is not wanted.
constexpr int64_t delivery_cost = 30;    // One that is: its event and its record are read.
constexpr int64_t event_pages_cost = 1;  // More, for each page of the event.
constexpr int64_t passage_cost = 200;    // To go through this much of a journal:
constexpr uint32_t passage_bytes = 256 * 1024;
constexpr int64_t rest_factor = 4;  // So much longer than a piece of work is the rest after it.

/// Of one passage: more wait for the next.
constexpr size_t found_max = 256;

constexpr uint32_t offset_last = (1u << Position::offset_bits) - 8;

/// How soon a client comes back (the field `retry`).
constexpr std::string_view preamble = "retry: 2000\n";

/// Outcomes that streams tell of: ends, and failures after which another attempt is due.
bool is_news(const index::Outcome& outcome) {
  return journal::is_end(outcome.status) || (outcome.status == journal::DeliveryStatus::pending &&
                                             outcome.failed && outcome.attempt > 0);
}

void append_notice(std::string& out, std::string_view code, std::string_view detail) {
  out += "event: notice\ndata: ";
  JsonWriter{out}.begin_object().member("code", code).member("detail", detail).end_object();
  out += "\n\n";
}

bool same_journal(Position one, Position other) {
  return one.journal() == other.journal();
}

bool same_segment(Position one, Position other) {
  return same_journal(one, other) && one.segment() == other.segment();
}

}  // namespace

// --- begin ---------------------------------------------------------------------------------------

Answer Streams::open(const Call& call, Instant now) {
  auto parsed = parse_list_query(call.request, ListKind::stream);
  if (auto* problem = std::get_if<Problem>(&parsed)) return refuse(*problem);
  auto stream = std::make_unique<Stream>();
  stream->query = std::move(std::get<ListQuery>(parsed));
  if (const auto& id = stream->query.filter.webhook) {
    const Webhook* webhook = parts_.registry.find(call.organization, *id);
    if (webhook == nullptr || !may_see(*call.token, *webhook)) {
      return refuse(api::refusal_of_member(400, "webhook", "is not the id of a webhook"));
    }
    stream->webhook_number = webhook->number;
  }
  std::optional<StreamPlace> place;
  if (const std::string_view id = call.request.header("last-event-id"); !id.empty()) {
    place = parse_stream_cursor(id, stream->query, parts_.history.hash());
    if (!place) {
      return refuse(api::refusal_of_member(
          400, "Last-Event-ID",
          "is not the id of an event of this stream with these filters; send the last `id` as it "
          "came and the same filters, or no Last-Event-ID to begin now"));
    }
  }
  if (const auto problem = object_to_count(call.organization)) return refuse(*problem);
  stream->token_sha256 = call.token->sha256;
  stream->organization = call.organization;
  if (const std::string_view key = session_key(call.request); !key.empty()) {
    stream->session = crypto::sha256(as_bytes(key));
  }
  stream->sent_at = now;
  start_at(*stream, place);
  opening_ = std::move(stream);
  return {.response = {.content_type = "text/event-stream",
                       .headers = {{"X-Accel-Buffering", "no"}},
                       .body = {}}};
}

/// Why there may not be one more; nothing: it may.
std::optional<Problem> Streams::object_to_count(const std::string& organization) const {
  const auto of_organization = static_cast<size_t>(std::ranges::count(
      streams_, organization, [](const auto& one) { return one->organization; }));
  std::optional<Problem> problem;
  if (of_organization >= limits_.per_organization_max) {
    problem = refusal(429, "the organization has " + std::to_string(of_organization) +
                               " live streams open, which is all it may have "
                               "(api.streams_per_organization_max); close one first");
  } else if (streams_.size() >= limits_.count_max) {
    problem = refusal(503, std::to_string(streams_.size()) +
                               " live streams are open, which is all this relay allows "
                               "(api.streams_max); try again later");
  }
  if (problem) {
    problem->type = "urn:ringpost:too-many-streams";
    problem->retry_after_s = 10;
  }
  return problem;
}

/// Up to where each journal has been told: of one that was not written since the start, where it
/// will be written, or its end.
std::vector<Position> Streams::heads() const {
  struct Bounds {
    uint32_t first_open = 0;
    uint32_t last = 0;
  };
  std::map<uint32_t, Bounds> journals;
  for (const JournalAccess::Segment& segment : parts_.journals.segments()) {
    auto& [first_open, last] = journals[segment.journal];
    last = std::max(last, segment.number);
    if (!segment.open) continue;
    first_open = first_open == 0 ? segment.number : std::min(first_open, segment.number);
  }
  std::vector<Position> heads;
  for (const auto& [journal, bounds] : journals) {
    const auto written = told(journal);
    const bool is_open = bounds.first_open != 0;
    heads.push_back(written ? *written
                            : Position::make(journal, is_open ? bounds.first_open : bounds.last,
                                             is_open ? 0 : offset_last));
  }
  return heads;
}

std::optional<Position> Streams::told(uint32_t journal) const {
  const bool known = journal < told_.size() && told_[journal].valid();
  return known ? std::optional{told_[journal]} : std::nullopt;
}

/// @param place  nothing: what comes from now on.
void Streams::start_at(Stream& stream, const std::optional<StreamPlace>& place) const {
  stream.reached = heads();
  if (!place) {
    stream.next = recent_begin_ + recent_.size();
    return;
  }
  const auto there = numbers();
  for (Position& reached : stream.reached) {
    const auto known = std::ranges::find_if(
        *place, [&](const StreamPosition& one) { return same_journal(one.position, reached); });
    // A journal that is not named there is younger.
    reached = known != place->end()
                  ? resumed(*known, there.at(reached.journal()), stream.of_other_history)
                  : Position::make(reached.journal(), there.at(reached.journal()).front(), 0);
  }
}

/// The segments of each journal that are there, rising.
std::map<uint32_t, std::vector<uint32_t>> Streams::numbers() const {
  std::map<uint32_t, std::vector<uint32_t>> numbers;
  for (const JournalAccess::Segment& segment : parts_.journals.segments()) {
    numbers[segment.journal].push_back(segment.number);
  }
  for (auto& [journal, segments] : numbers) std::ranges::sort(segments);
  return numbers;
}

/// Where a stream goes on that was told everything up to `before`: there, unless the segment of
/// that number is another one now, or was never written. Then it was told what both histories
/// share, and no segment that was prepared later.
/// @param there  the segments of the journal, rising.
Position Streams::resumed(const StreamPosition& before, const std::vector<uint32_t>& there,
                          bool& of_other_history) const {
  const Position position = before.position;
  const bool is_there = std::ranges::binary_search(there, position.segment());
  const bool has_gone = position.segment() < parts_.journals.oldest(position.journal());
  const uint64_t now_ms = is_there ? prepared_ms(position) : 0;
  const bool unknown = is_there && (now_ms == 0 || before.segment_ms == 0);
  if (has_gone || unknown || (is_there && now_ms == before.segment_ms)) return position;
  const auto later = std::ranges::partition_point(there, [&](uint32_t number) {
    return prepared_ms(Position::make(position.journal(), number, 0)) <= before.segment_ms;
  });
  const bool beyond = position.segment() > there.back();
  Position next = later != there.end()
                      ? Position::make(position.journal(), *later, 0)
                      : Position::make(position.journal(), there.back(), offset_last);
  if (!beyond) next = std::min(next, Position::make(position.journal(), position.segment(), 0));
  // A start makes segments anew that nothing was written to.
  const bool as_before = position.offset() == 0 && next >= position;
  of_other_history |= !as_before;
  return next;
}

/// StreamPosition::segment_ms; 0: not known.
uint64_t Streams::prepared_ms(Position position) const {
  const auto created = parts_.journals.created_at(position.journal(), position.segment());
  if (!created) return 0;
  const int64_t ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(created->time_since_epoch()).count();
  return static_cast<uint64_t>(std::max<int64_t>(ms, 0)) & StreamPosition::segment_ms_max;
}

void Streams::begin(uint32_t shard, http::RequestHandle handle, Instant now) {
  RINGPOST_ASSERT(opening_ != nullptr);
  Stream& stream = *streams_.emplace_back(std::move(opening_));
  stream.shard = shard;
  stream.handle = handle;
  now_ = now;
  stream.piece = std::string{preamble} + "id: " + cursor(stream) + "\n\n";
  if (stream.of_other_history) {
    append_notice(stream.piece, "gap",
                  "the relay was restored from a backup, or lost a part of its journals, after "
                  "this id was sent: some deliveries of the time between may be missing here, and "
                  "some may come again");
  }
  send(stream);
}

// --- messages ------------------------------------------------------------------------------------

void Streams::on_outcome(const index::Outcome& outcome, const Ulid& delivery) {
  if (outcome.record.valid()) {
    const uint32_t journal = outcome.record.journal();
    if (journal >= told_.size()) told_.resize(journal + 1);
    told_[journal] = outcome.record;
  }
  if (streams_.empty() || !is_news(outcome)) return;
  recent_.push_back({outcome, delivery});
  if (recent_.size() <= recent_max) return;
  recent_.pop_front();
  ++recent_begin_;
}

bool Streams::is_of(const Stream& stream, uint32_t shard, http::RequestHandle handle) {
  return stream.shard == shard && stream.handle.index == handle.index &&
         stream.handle.generation == handle.generation;
}

void Streams::on_taken(uint32_t shard, const StreamTaken& taken, Instant now) {
  for (const auto& stream : streams_) {
    if (!is_of(*stream, shard, taken.handle)) continue;
    RINGPOST_ASSERT(taken.bytes <= stream->bytes_sent);
    stream->bytes_sent -= taken.bytes;
    stream->full_since.reset();
    if (!has_room(*stream)) stream->full_since = now;
  }
}

void Streams::on_gone(uint32_t shard, http::RequestHandle handle) {
  std::erase_if(streams_, [&](const auto& stream) { return is_of(*stream, shard, handle); });
  forget_ended();
}

// --- the way of one step -------------------------------------------------------------------------

void Streams::step(WallTime wall_now, Instant now) {
  if (streams_.empty()) return;
  wall_now_ = wall_now;
  now_ = now;
  end_those_that_must();
  if (now >= next_work_) work();
  for (const auto& stream : streams_) {
    if (!has_room(*stream) || now - stream->sent_at < heartbeat_interval) continue;
    stream->piece += ": still here\nid: " + cursor(*stream) + "\n\n";
    send(*stream);
  }
}

std::optional<Instant> Streams::due(WallTime wall_now, Instant now) const {
  if (streams_.empty()) return std::nullopt;
  Instant first = now + heartbeat_interval;
  for (const auto& stream : streams_) {
    if (has_work(*stream)) first = std::min(first, std::max(next_work_, now));
    first = std::min(first, stream->full_since ? *stream->full_since + slow_max
                                               : stream->sent_at + heartbeat_interval);
    const Token* token = parts_.table.current().token(stream->token_sha256);
    if (token == nullptr) return now;
    if (token->expires_at) first = std::min(first, now + (*token->expires_at - wall_now));
  }
  return first;
}

bool Streams::has_room(const Stream& stream) const {
  return stream.bytes_sent + stream.piece.size() < window_bytes;
}

bool Streams::has_work(const Stream& stream) const {
  return has_room(stream) && (!stream.next || *stream.next < recent_begin_ + recent_.size());
}

/// Whose stream it is, as long as that may be; null: it must end.
const Token* Streams::token_of(const Stream& stream) const {
  const Token* token = parts_.table.current().token(stream.token_sha256);
  if (token == nullptr || token->expired(wall_now_)) return nullptr;
  return !stream.session || parts_.sessions.lasts(*stream.session, now_) ? token : nullptr;
}

void Streams::end_those_that_must() {
  for (const auto& stream : streams_) {
    if (token_of(*stream) == nullptr) {
      end(*stream, "signed_out",
          stream->session ? "the session is over; sign in again"
                          : "the token has expired or was deleted");
    } else if (stream->full_since && now_ - *stream->full_since >= slow_max) {
      end(*stream, "too_slow",
          "nothing was read for 20 seconds although more was waiting; connect again with "
          "Last-Event-ID to go on from here");
    }
  }
  forget_ended();
}

void Streams::work() {
  left_ = step_cost_max;
  for (size_t turns = streams_.size(); turns > 0 && left_ > 0; --turns) {
    turn_ = (turn_ + 1) % streams_.size();
    Stream& stream = *streams_[turn_];
    if (has_work(stream)) serve(stream);
  }
  next_work_ = now_ + std::chrono::microseconds{(step_cost_max - left_) * rest_factor};
}

void Streams::serve(Stream& stream) {
  if (stream.next && *stream.next < recent_begin_) stream.next.reset();
  if (stream.next) {
    tell_recent(stream);
  } else {
    catch_up(stream);
  }
  if (!stream.piece.empty()) send(stream);
  if (!has_room(stream) && !stream.full_since) stream.full_since = now_;
}

void Streams::tell_recent(Stream& stream) {
  while (has_work(stream) && left_ > 0) {
    const News& news = recent_[*stream.next - recent_begin_];
    ++*stream.next;
    left_ -= passed_cost;
    for (Position& reached : stream.reached) {
      if (news.outcome.record.valid() && same_journal(reached, news.outcome.record)) {
        reached = news.outcome.record;
      }
    }
    consider(stream, news);
  }
}

/// Reads a piece of the first journal in which there is something that was not told.
void Streams::catch_up(Stream& stream) {
  const std::vector<Position> ends = heads();
  Position* reached = nullptr;
  Position head;
  for (Position& one : stream.reached) {
    const auto found =
        std::ranges::find_if(ends, [&](Position other) { return same_journal(other, one); });
    if (found == ends.end()) continue;
    if (one >= *found) continue;
    reached = &one;
    head = *found;
    break;
  }
  if (reached == nullptr) {
    stream.next = recent_begin_ + recent_.size();
    return;
  }
  if (!find_segment(stream, *reached, head)) return;

  std::vector<News> found;
  const VisibleHistory::View visible = parts_.history.of(stream.organization, wall_now_);
  left_ -= passage_cost;
  const auto passage = parts_.journals.pass_outcomes(
      *reached, head, passage_bytes, [&](const journal::OutcomeView& view, Position position) {
        const index::Outcome outcome = index::to_outcome(view, position);
        const bool told = is_news(outcome) && wants(stream, outcome) &&
                          visible.shows(outcome.status, outcome.accepted_at);
        if (told) found.push_back({outcome, view.delivery});
        return found.size() < found_max;
      });
  for (const News& news : found) {
    if (!has_room(stream) || left_ <= 0) return;
    *reached = news.outcome.record;
    if (is_hidden(visible, news)) continue;
    consider(stream, news);
  }
  if (!passage) tell_gap(stream);
  const bool at_end = !passage || passage->at_end;
  if (passage) *reached = passage->reached;
  if (!at_end) return;
  const bool is_last = reached->segment() == head.segment();
  *reached = is_last ? head : Position::make(head.journal(), reached->segment() + 1, 0);
}

/// An attempt at what has ended meanwhile, and is too old to be seen. While it cannot be looked up,
/// nobody is told.
bool Streams::is_hidden(const VisibleHistory::View& visible, const News& news) {
  if (news.outcome.accepted_at >= visible.since()) return false;
  const auto found = visible.delivery(news.delivery);
  return !found || !*found;
}

/// Moves `reached` to a segment that is there. @returns false if there is none up to `head`.
bool Streams::find_segment(Stream& stream, Position& reached, Position head) {
  uint32_t next = 0;
  for (const JournalAccess::Segment& segment : parts_.journals.segments()) {
    if (segment.journal != head.journal() || segment.number < reached.segment()) continue;
    next = next == 0 ? segment.number : std::min(next, segment.number);
  }
  const bool found = next != 0 && next <= head.segment();
  if (!found) {
    reached = head;
  } else if (next != reached.segment()) {
    // Segments that were never written are not there either.
    if (reached.segment() < parts_.journals.oldest(head.journal())) tell_gap(stream);
    reached = Position::make(head.journal(), next, 0);
  }
  return found;
}

void Streams::tell_gap(Stream& stream) {
  append_notice(stream.piece, "gap",
                "some deliveries may be missing here: that part of the history was removed "
                "or cannot be read");
}

// --- one outcome ---------------------------------------------------------------------------------

/// As far as the outcome alone tells.
bool Streams::wants(const Stream& stream, const index::Outcome& outcome) const {
  const DeliveryFilter& filter = stream.query.filter;
  const bool told = filter.status ? outcome.status == *filter.status
                                  : stream.query.attempts || journal::is_end(outcome.status);
  if (!told) return false;
  const uint32_t number = outcome.delivery.webhook_number;
  if (stream.webhook_number && number != *stream.webhook_number) return false;
  if (filter.error && !(outcome.failed && outcome.error == *filter.error)) return false;
  if (filter.http_statuses && !filter.http_statuses->has(outcome.http_status)) return false;
  const Webhook* webhook = parts_.registry.find(number);
  return webhook == nullptr || webhook->organization == stream.organization;
}

void Streams::consider(Stream& stream, const News& news) {
  if (!wants(stream, news.outcome)) return;
  const Token* token = token_of(stream);
  if (token == nullptr) return;  // The next step ends it.
  left_ -= delivery_cost;
  const auto event = read_event(news);
  const EventView* view = event ? &(*event)->view() : nullptr;
  if (view != nullptr) {
    left_ -= event_pages_cost * static_cast<int64_t>(view->data.size() / journal::page_bytes);
  }
  if (may_be_told(stream, news, view, *token)) write(stream, news, view);
}

/// The record of one that was carried forward is elsewhere.
Result<journal::EventRef> Streams::read_event(const News& news) {
  auto event = parts_.journals.read_event(news.outcome.delivery.event);
  if (event || event.error().code != Errc::not_found) return event;
  const auto facts = parts_.history.of_what_ends().delivery(news.delivery);
  if (!facts || !*facts) return event;
  return parts_.journals.read_event((*facts)->event.position);
}

/// Whose the deliveries of a deleted webhook are, only their events tell.
/// @param event  null: it cannot be read.
bool Streams::may_be_told(const Stream& stream, const News& news, const EventView* event,
                          const Token& token) const {
  const ListQuery& query = stream.query;
  const Webhook* webhook = parts_.registry.find(news.outcome.delivery.webhook_number);
  const bool by_event = webhook == nullptr || token.restricted();
  if (event == nullptr) {
    return !by_event && !query.filter.type && !query.filter.source && !query.redelivery_of;
  }
  if (by_event ? !may_see(token, *event) : !may_see(token, *webhook)) return false;
  return is_meant(query.filter, *event) && is_repeat_of(*event, query.redelivery_of);
}

/// As this outcome left it.
index::DeliveryFacts Streams::facts_of(const News& news, const EventView* event) const {
  const auto& [outcome, delivery] = news;
  index::DeliveryFacts facts{
      .id = delivery,
      .event = {.uid = event != nullptr ? event->uid : Ulid{}, .position = outcome.delivery.event},
      .webhook_number = outcome.delivery.webhook_number,
      .state = {.status = outcome.status,
                .attempts = outcome.attempt,
                .next_attempt_at = outcome.next_attempt_at,
                .superseded = index::is_superseded(outcome),
                .failed = outcome.failed,
                .error = outcome.error,
                .http_status = outcome.http_status,
                .records = {}}};
  if (outcome.attempt > 0) {
    if (outcome.record.valid()) facts.state.records.push_back(outcome.record);
    return facts;
  }
  // Cancelled while it waited: how many attempts there were, its other records tell.
  const auto known = parts_.history.of_what_ends().delivery(delivery);
  if (known && *known) {
    facts.state.attempts = (*known)->state.attempts;
    facts.state.records = (*known)->state.records;
  }
  return facts;
}

void Streams::write(Stream& stream, const News& news, const EventView* event) {
  const index::DeliveryFacts facts = facts_of(news, event);
  const EventView unknown;
  std::string& out = stream.piece;
  out += journal::is_end(facts.state.status) ? "event: delivery" : "event: attempt";
  out += "\nid: " + cursor(stream) + "\ndata: ";
  JsonWriter json{out};
  begin_delivery(
      json, {facts, event != nullptr ? *event : unknown, parts_.registry.find(facts.webhook_number),
             wall_now_, parts_.registry.receivers().waits_until(facts.webhook_number, wall_now_)});
  const auto& records = facts.state.records;
  const auto outcome = records.empty()
                           ? Result<JournalAccess::StoredOutcome>{Error{Errc::not_found}}
                           : parts_.journals.read_outcome(records.front());
  write_last_attempt(json, facts, outcome ? &outcome->view : nullptr);
  json.end_object();
  out += "\n\n";
}

std::string Streams::cursor(Stream& stream) const {
  stream.place.resize(stream.reached.size());
  for (size_t journal = 0; journal < stream.reached.size(); ++journal) {
    StreamPosition& written = stream.place[journal];
    const Position reached = stream.reached[journal];
    const bool same = written.segment_ms != 0 && same_segment(written.position, reached);
    written = {reached, same ? written.segment_ms : prepared_ms(reached)};
  }
  return stream_cursor(stream.place, stream.query, parts_.history.hash());
}

// --- to the client -------------------------------------------------------------------------------

void Streams::send(Stream& stream, bool last) {
  stream.bytes_sent += stream.piece.size();
  stream.sent_at = now_;
  parts_.post.send(stream.shard, StreamPiece{stream.handle, std::exchange(stream.piece, {}), last});
}

void Streams::end(Stream& stream, std::string_view code, std::string_view detail) {
  append_notice(stream.piece, code, detail);
  send(stream, true);
  stream.is_over = true;
}

void Streams::forget_ended() {
  std::erase_if(streams_, [](const auto& stream) { return stream->is_over; });
  if (!streams_.empty()) return;
  recent_begin_ += recent_.size();
  recent_ = {};
}

}  // namespace ringpost::control
