#include "control/forward.h"

#include "base/assert.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "base/text.h"
#include "control/host_talk.h"
#include "control/store/store.h"
#include "http/date.h"
#include "http/gzip.h"
#include "http/hops.h"
#include "http/query.h"
#include "http/syntax.h"
#include "json/document.h"
#include "net/client_certificate.h"
#include "net/tls.h"
#include "subscription/patterns.h"

#include <algorithm>
#include <utility>

namespace ringpost::control {

using journal::EventView;
using journal::Position;

namespace {

constexpr std::string_view places_name = "forward_places";
constexpr std::string_view written_at_name = "forward_written_at";
constexpr std::string_view lost_name = "forward_lost";

/// What events that nobody wants were passed is written down so often.
constexpr Duration store_interval = std::chrono::seconds(10);
/// The same problem is said in the log again after so long.
constexpr Duration told_again = std::chrono::minutes(10);
/// Of an answer, shown to people.
constexpr size_t detail_bytes_max = 400;
/// The answer to a batch has a line for each of its events.
constexpr uint32_t batch_answer_bytes_max = 4 * 1024 * 1024;
constexpr uint32_t question_answer_bytes_max = 16 * 1024;

/// A whole number in an answer.
std::optional<uint64_t> number_in(json::Document& document, std::string_view member) {
  const json::Found found = document.scalar(json::Path::constant(member));
  if (found.kind != json::Kind::integer) return std::nullopt;
  return http::parse_decimal(found.text);
}

bool is_problem(const net::ClientAnswer& answer) {
  return http::begins_ignoring_case(answer.header("content-type"), "application/problem+json");
}

/// A refusal of what was sent, and not of who sent it.
bool is_of_events(uint16_t status) {
  return status == 400 || status == 409 || status == 413 || status == 422;
}

bool is_passing(uint16_t status) {
  return status == 408 || status == 425 || status == 429 || status >= 500;
}

/// Of the list of the events of one id.
constexpr std::string_view list_begin = R"({"items":[)";

/// Of a redirect, which is not followed: the token is meant for one address.
std::string told_place(const net::ClientAnswer& answer) {
  constexpr size_t place_bytes_max = 200;
  const std::string_view place = answer.header("location").substr(0, place_bytes_max);
  return place.empty() ? std::string{} : " and leads to " + std::string{place};
}

/// An empty list, or a 404 of an event: another says that there is no such path, of a proxy or of a
/// relay.
bool says_no_such_event(const net::ClientAnswer& answer) {
  if (answer.error) return false;
  if (answer.status == 200) return answer.body.starts_with(std::string{list_begin} + ']');
  if (answer.status != 404 || !is_problem(answer)) return false;
  json::Document document;
  document.assign(answer.body);
  const auto detail = document.scalar(json::Path::constant("detail")).text;
  return http::begins_ignoring_case(detail, "there is no such event");
}

std::string events_text(uint64_t count) {
  return std::to_string(count) + (count == 1 ? " event" : " events");
}

}  // namespace

Result<std::optional<ForwardPlaces>> read_forward_places(const ReadMeta& read) {
  const auto text = read(places_name);
  if (!text) return text.error();
  if (!*text) return std::optional<ForwardPlaces>{};
  auto places = parse_forward_places(**text);
  if (!places) return Error{Errc::corrupt, Side::disk};
  return places;
}

std::string_view name(ForwardState state) {
  switch (state) {
    case ForwardState::off: return "off";
    case ForwardState::idle: return "idle";
    case ForwardState::sending: return "sending";
    case ForwardState::waiting: return "waiting";
    case ForwardState::held: return "held";
  }
  RINGPOST_UNREACHABLE();
}

Forward::Forward(const Parts& parts, std::function<void()> wake)
    : parts_(parts),
      wake_(std::move(wake)),
      reader_(parts.journals, parts.history),
      set_aside_(parts.store.set_aside(), parts.journals, parts.history) {}

/// What is on its way stays so; what failed is tried at once.
void Forward::set(ForwardSettings settings) {
  settings_ = std::move(settings);
  failures_ = 0;
  not_before_ = {};
  told_problem_.clear();
  count_max_ = SIZE_MAX;
  packs_ = true;
  due_ = now_;
}

Result<void> Forward::load() {
  const auto places =
      read_forward_places([this](std::string_view name) { return parts_.store.meta(name); });
  if (!places) return places.error();
  const auto written_at = parts_.store.meta(written_at_name);
  if (!written_at) return written_at.error();
  const auto lost = parts_.store.meta(lost_name);
  if (!lost) return lost.error();
  if (auto loaded = set_aside_.load(); !loaded) return loaded;
  if (*places) {
    const auto time = http::parse_decimal(written_at->value_or(""));
    const auto number = http::parse_decimal(lost->value_or(""));
    if (!time || !number) return Error{Errc::corrupt, Side::disk};
    done_ = **places;
    done_at_ = from_unix_ns(static_cast<int64_t>(*time));
    lost_ = *number;
  }
  if (is_on() && !*places) return begin();
  if (is_on()) begun_ = true;
  resumed_ = ForwardSettings::batch_events_limit;
  resumed_at_ = done_at_;
  reader_.begin(done_);
  return {};
}

/// Forwards what comes from now on.
Result<void> Forward::begin() {
  begun_ = true;
  if (done_.empty()) done_ = reader_.ends();
  reader_.begin(done_);
  if (!store()) return Error{Errc::io_failed, Side::disk};
  return {};
}

void Forward::on_event(const EventView& event, Position position) {
  reader_.on_event(event, position);
}

bool Forward::wants(const EventView& event) const {
  // What is carried forward was told of by its first record.
  if (event.addressed || event.is_redelivery() || event.is_carried()) return false;
  const bool source = std::ranges::any_of(settings_.sources, [&](const std::string& pattern) {
    return subscription::source_matches(pattern, event.source);
  });
  return source && subscription::any_event_matches(settings_.events, event.type);
}

// --- the way of a batch --------------------------------------------------------------------------

bool Forward::step(WallTime wall_now, Instant now) {
  wall_now_ = wall_now;
  now_ = now;
  due_.reset();
  if (take_answers()) return true;  // What they changed becomes durable first.
  if (!is_on() || calls_ > 0) return false;
  if (!begun_ && !begin()) {  // Switched on while it runs.
    begun_ = false;
    due_ = now + pause_min;
    return false;
  }
  if (now < not_before_) {
    due_ = not_before_;
    return false;
  }
  const bool more = phase_ == Phase::filling && fill();
  if (batch_.empty()) {
    due_ = now < not_before_ ? std::optional{not_before_} : reader_.due();
    if (!more) store_now_and_then();
    return more;
  }
  advance();
  return false;
}

/// @returns whether there were any.
bool Forward::take_answers() {
  const bool any = !answers_.empty();
  while (!answers_.empty()) {
    const auto [answer, handle] = std::move(answers_.front());
    answers_.pop_front();
    --calls_;
    handle(answer);
  }
  return any;
}

/// The answer waits for `step`, which knows the time.
void Forward::call(net::ClientRequest&& request, Handle handle) {
  ++calls_;
  parts_.calls.start(std::move(request), [this, handle](const net::ClientAnswer& answer) {
    answers_.emplace_back(answer, handle);
    wake_();
  });
}

/// Takes events for a request. @returns whether there is more to read before one can be sent.
bool Forward::fill() {
  const bool again_is_next = !was_again_;
  bool more = again_is_next && fill_again();
  if (!batch_.empty() || more) return more;
  more = fill_new();
  if (!batch_.empty()) was_again_ = false;
  if (!batch_.empty() || more || again_is_next) return more;
  return fill_again();
}

/// Of one form, and over one number of relays, since a request has one.
/// @param bytes  of the batch so far.
bool Forward::fits(const ForwardItem& item, uint64_t bytes) const {
  if (batch_.empty()) return true;
  const ForwardItem& first = batch_.front();
  return bytes + item.json.size() <= settings_.batch_bytes_max && item.form == first.form &&
         item.form != ForwardForm::one && item.hops == first.hops;
}

bool Forward::fill_new() {
  const auto wanted = [this](const EventView& event) { return wants(event); };
  uint64_t bytes = 0;
  while (batch_.size() < settings_.batch_events_max) {
    if (reader_.next() == nullptr) {
      const auto more = reader_.read(wanted, now_);
      tell_gap();
      if (!more) {
        fail({.lasting = true, .text = "the journal cannot be read: " + describe(more.error())});
        return false;
      }
      if (reader_.next() == nullptr) {
        if (*more && batch_.empty()) return true;
        break;
      }
    }
    const ForwardItem& next = *reader_.next();
    if (next.hops >= http::hops_max) {
      set_aside_travelled(reader_.take());
      continue;
    }
    if (!fits(next, bytes)) break;
    bytes += next.json.size() + 1;
    batch_.push_back(reader_.take());
    if (resumed_ == 0) continue;
    --resumed_;
    batch_.back().resumed = true;
    batch_.back().maybe_sent_at = std::max(batch_.back().accepted_at, resumed_at_);
  }
  batch_end_ = reader_.taken();
  if (!batch_.empty()) phase_ = Phase::asking;
  return false;
}

/// What was set aside and is to be sent again. What does not fit stays marked in the list.
/// @returns whether there is more of it, and none in the batch.
bool Forward::fill_again() {
  if (set_aside_.again_count() == 0) return false;
  auto items = set_aside_.next(wall_now_);
  if (!items) {
    fail({.lasting = true,
          .text = "what is to be sent again cannot be read: " + describe(items.error())});
    return false;
  }
  uint64_t bytes = 0;
  for (ForwardItem& item : *items) {
    if (item.hops >= http::hops_max) {
      if (!set_aside_travelled(item)) return false;
      continue;
    }
    if (batch_.size() == settings_.batch_events_max || !fits(item, bytes)) break;
    bytes += item.json.size() + 1;
    batch_.push_back(std::move(item));
  }
  if (batch_.empty()) return set_aside_.again_count() > 0;
  was_again_ = true;
  batch_end_ = done_;  // It is not of the new ones.
  phase_ = Phase::asking;
  return false;
}

bool Forward::is_again() const {
  return !batch_.empty() && batch_.front().set_aside_status.has_value();
}

bool Forward::set_aside_travelled(const ForwardItem& item) {
  return set_aside_.put(item, 0,
                        "it came over " + std::to_string(item.hops) +
                            " relays: they forward to each other in a circle",
                        wall_now_);
}

void Forward::advance() {
  due_.reset();
  if (phase_ == Phase::asking) return ask();
  send();
}

bool Forward::must_ask(const ForwardItem& item) const {
  // A tenth less: clocks and the way there take their time.
  return item.maybe_sent_at && wall_now_ - *item.maybe_sent_at > settings_.window / 10 * 9;
}

void Forward::ask() {
  question_failure_.reset();
  for (size_t index = 0; index < batch_.size() && calls_ < questions_max; ++index) {
    if (must_ask(batch_[index])) ask(index);
  }
  if (calls_ > 0) return;
  phase_ = Phase::sending;
  send();
}

void Forward::ask(size_t index) {
  const ForwardItem& item = batch_[index];
  net::ClientRequest question = request("GET");
  std::string& target = question.url.target;
  const bool fits_path = item.id != "." && item.id != "..";  // Those are steps of a path.
  target += fits_path ? "/" : "?id=";
  http::append_percent_encoded(target, item.id);
  target += fits_path ? "?source=" : "&source=";
  http::append_percent_encoded(target, item.source);
  question.answer_bytes_max = question_answer_bytes_max;
  call(std::move(question),
       [this, index](const net::ClientAnswer& answer) { on_asked(index, answer); });
}

void Forward::on_asked(size_t index, const net::ClientAnswer& answer) {
  RINGPOST_ASSERT(index < batch_.size());
  ForwardItem& item = batch_[index];
  std::string expected;
  JsonWriter json{expected};
  json.begin_object().member("id", item.id).member("source", item.source);
  std::string_view shown = answer.body;
  if (shown.starts_with(list_begin)) shown.remove_prefix(list_begin.size());
  if (!answer.error && answer.status == 200 && shown.starts_with(expected)) {
    on_there(item);
  } else if (says_no_such_event(answer)) {
    item.maybe_sent_at.reset();
  } else if (!question_failure_) {
    question_failure_ = failure_of(answer);
    if (answer.status == 403) {
      question_failure_->text +=
          " (the token needs the scope deliveries:read beside events:write, to find out what the "
          "central relay has)";
    }
  }
  if (calls_ > 0) return;
  std::erase_if(batch_, [](const ForwardItem& each) { return each.there; });
  if (question_failure_) return fail(*std::exchange(question_failure_, std::nullopt));
  succeed();
  if (batch_.empty()) finish_batch();
}

/// Takes it out of the batch.
void Forward::on_there(ForwardItem& item) {
  item.there = true;
  constexpr uint16_t differs = 409;
  if (item.set_aside_status == differs) {
    set_aside_.put(item, differs, "the central relay has another event of this source and id",
                   wall_now_);
    return;
  }
  ++forwarded_;
  ++duplicates_;
  if (item.set_aside_status) set_aside_.remove(item);
  if (item.resumed) on_sent_before();
}

/// Events are sent in their order: an earlier run may have sent the next ones, too.
void Forward::on_sent_before() {
  resumed_ = ForwardSettings::batch_events_limit;
}

void Forward::send() {
  const size_t count = std::min(count_in_request(batch_), count_max_);
  RINGPOST_ASSERT(count > 0);
  net::ClientRequest post = request("POST");
  const ForwardItem& first = batch_.front();
  append_headers(post.headers, first);
  post.headers.push_back({std::string{http::hops_header}, std::to_string(first.hops + 1)});
  post.body = forward_body(batch_, count);
  const bool packed = packs_ && post.body.size() >= packed_bytes_min;
  if (packed) {
    post.headers.push_back({"Content-Encoding", "gzip"});
    post.body = http::gzip(post.body);
  }
  post.answer_bytes_max = batch_answer_bytes_max;
  sent_at_ = wall_now_;
  call(std::move(post), [this, count, packed](const net::ClientAnswer& answer) {
    if (packed && !answer.error && answer.status == 415) return on_packing_refused();
    on_sent(count, answer);
  });
}

/// An older relay, or a proxy before it: from now on it gets batches as they are.
void Forward::on_packing_refused() {
  packs_ = false;
  due_ = now_;
}

void Forward::on_sent(size_t count, const net::ClientAnswer& answer) {
  RINGPOST_ASSERT(count <= batch_.size());
  if (answer.success() && !answer.truncated) {
    json::Document document;
    document.assign(answer.body);
    const auto accepted = number_in(document, "accepted");
    const auto duplicates = number_in(document, "duplicates");
    if (accepted && duplicates && *accepted <= count && *duplicates == count - *accepted) {
      return on_taken(count, *duplicates);
    }
  }
  if (!answer.error && is_of_events(answer.status) && on_refused(count, answer)) return;
  // What was refused by the central relay itself was not stored; else nobody knows.
  const bool is_known = answer.error ? never_arrived(*answer.error) : is_problem(answer);
  for (size_t index = 0; index < count && !is_known; ++index) {
    if (!batch_[index].maybe_sent_at) batch_[index].maybe_sent_at = sent_at_;
  }
  phase_ = Phase::asking;
  fail(failure_of(answer));
}

void Forward::on_taken(size_t count, uint64_t duplicates) {
  forwarded_ += count;
  duplicates_ += duplicates;
  refused_in_a_row_ = 0;
  if (count_max_ < SIZE_MAX / 2) count_max_ *= 2;
  if (duplicates > 0 && batch_.front().resumed) on_sent_before();
  for (size_t index = 0; index < count && is_again(); ++index) set_aside_.remove(batch_[index]);
  batch_.erase(batch_.begin(), batch_.begin() + static_cast<std::ptrdiff_t>(count));
  succeed();
  if (batch_.empty()) finish_batch();
}

/// Finds out which event it is about: the answer names it, or it is sent alone.
/// @returns false if it is about none.
bool Forward::on_refused(size_t count, const net::ClientAnswer& answer) {
  if (!is_problem(answer)) return false;
  json::Document document;
  document.assign(answer.body);
  const uint64_t line = count == 1 ? 1 : number_in(document, "line").value_or(0);
  count_max_ = std::max<size_t>(count / 2, 1);
  if (answer.status == 413 && count == 1 && make_smaller(batch_.front())) {
    succeed();
    return true;
  }
  if (line >= 1 && line <= count) {
    const auto refused = batch_.begin() + static_cast<std::ptrdiff_t>(line - 1);
    if (!set_aside_.put(*refused, answer.status, told_by(answer), wall_now_)) return false;
    // One that is sent again says nothing of the others.
    if (!refused->set_aside_status) ++refused_in_a_row_;
    batch_.erase(refused);
  }
  if (refused_in_a_row_ <= refused_in_a_row_max) succeed();
  if (batch_.empty()) finish_batch();
  if (refused_in_a_row_ > refused_in_a_row_max) {
    Failure failure = failure_of(answer);
    failure.text += " (" + events_text(refused_in_a_row_) + " in a row were refused)";
    fail(std::move(failure));
  }
  return true;
}

/// As CloudEvents' binary mode makes it. @returns false if it stays as large as it is.
bool Forward::make_smaller(ForwardItem& item) {
  if (item.form != ForwardForm::batch) return false;
  const auto event = parts_.journals.read_event(item.position);
  return event && make_binary(item, (*event)->view());
}

/// What is to be sent again is in the list: from there it comes next time, as it is then.
void Forward::give_back() {
  batch_.clear();
  batch_end_.clear();
  phase_ = Phase::filling;
}

void Forward::finish_batch() {
  done_ = std::exchange(batch_end_, {});
  phase_ = Phase::filling;
  store();
}

// --- what is remembered --------------------------------------------------------------------------

/// Events that are lost when this run ends before the central relay has them.
uint64_t Forward::count_only_here() const {
  return reader_.count_only_here() +
         static_cast<uint64_t>(std::ranges::count_if(batch_, &ForwardItem::only_here));
}

bool Forward::store() {
  done_at_ = wall_now_;
  const auto stored = parts_.store.transaction([&]() -> Result<void> {
    if (auto one = parts_.store.set_meta(places_name, to_text(done_)); !one) return one;
    const uint64_t lost = lost_ + count_only_here();
    if (auto one = parts_.store.set_meta(lost_name, std::to_string(lost)); !one) return one;
    return parts_.store.set_meta(written_at_name, std::to_string(to_unix_ns(done_at_)));
  });
  stored_at_ = now_;
  if (stored) return true;
  log_error("forward: what was forwarded could not be stored: " + describe(stored.error()));
  return false;
}

/// Events that nobody wants are passed without a request.
void Forward::store_now_and_then() {
  const ForwardPlaces taken = reader_.taken();
  if (taken == done_) return;
  const Instant at = stored_at_.value_or(now_ - store_interval) + store_interval;
  if (now_ < at) {
    due_ = std::min(due_.value_or(at), at);
    return;
  }
  done_ = taken;
  store();
}

bool Forward::needs(uint32_t journal, uint32_t segment) const {
  return is_on() && begun_ && reader_.needs(done_, journal, segment);
}

void Forward::on_removing(uint32_t journal, uint32_t segment) {
  if (!needs(journal, segment)) return;
  const auto wanted = [this](const EventView& event) { return wants(event); };
  const uint64_t lost = reader_.skip(journal, segment, wanted);
  const ForwardPlace behind{Position::make(journal, segment + 1, 0), 0};
  for (ForwardPlaces* places : {&done_, &batch_end_}) {
    ForwardPlace& place = (*places)[journal];
    if (place.reached < behind.reached) place = behind;
  }
  for (ForwardItem& item : batch_) {
    if (item.set_aside_status) continue;
    item.only_here |= item.position.journal() == journal && item.position < behind.reached;
  }
  lost_ += lost;
  store();
  if (lost == 0) return;
  log_error("forward: " + events_text(lost) +
            " were removed before the central relay had them, because the journals may take no "
            "more (journal.retention_bytes)");
}

void Forward::tell_gap() {
  if (!reader_.take_gap()) return;
  log_error(
      "forward: a part of a journal is not there any more; what it held was not forwarded from "
      "here");
}

// --- calls ---------------------------------------------------------------------------------------

net::ClientRequest Forward::request(std::string method) const {
  return {.url = *settings_.url,
          .method = std::move(method),
          .headers = {{"Authorization", "Bearer " + settings_.token},
                      {"Accept", "application/json, application/problem+json"}},
          .body = {},
          .timeout = call_timeout,
          .trust = settings_.trust,
          .operator_named = true};
}

/// What the central relay says, for people: no more of it than fits a line.
std::string Forward::told_by(const net::ClientAnswer& answer) const {
  std::string text = "it answered " + std::to_string(answer.status);
  if (!is_problem(answer)) return text;
  json::Document document;
  document.assign(answer.body);
  std::string detail{document.scalar(json::Path::constant("detail")).text};
  if (detail.size() > detail_bytes_max) detail.resize(detail_bytes_max);
  for (char& byte : detail) {
    if (static_cast<uint8_t>(byte) < ' ' || byte == 0x7f) byte = ' ';
  }
  replace_all(detail, settings_.token, "*****");
  return detail.empty() ? text : text + ": " + detail;
}

Forward::Failure Forward::failure_of(const net::ClientAnswer& answer) const {
  const std::string who =
      "the central relay" + (is_on() ? ' ' + settings_.url->authority() : std::string{});
  // The relay stops: the next start tries again.
  if (answer.error && answer.error->code == Errc::cancelled) return {};
  if (answer.error) {
    const bool of_certificate = net::is_about_client_certificate(*answer.error);
    const bool lasting = answer.error->code == Errc::certificate_invalid ||
                         answer.error->code == Errc::destination_denied || of_certificate;
    std::string text = who + ": " + net::describe_tls(*answer.error);
    if (of_certificate) {
      text += " (it does not take the certificate of forward.certificate_file, or needs one)";
    }
    return {.lasting = lasting, .text = std::move(text)};
  }
  Failure failure{.lasting = !is_passing(answer.status), .text = who + ": " + told_by(answer)};
  if (answer.success() && answer.truncated && answer.body.size() < batch_answer_bytes_max) {
    return {.text = failure.text + ", and its answer broke off"};
  }
  if (answer.success()) failure.text += ", which is not the answer of a ringpost";
  if (answer.status / 100 == 3) failure.text += told_place(answer);
  if (const auto after = http::parse_retry_after(answer.header("retry-after"), wall_now_)) {
    failure.retry_after = std::min<Duration>(*after, asked_pause_max);
  }
  return failure;
}

/// Tries again later, twice as late as the last time. Without a text nobody is told.
void Forward::fail(Failure failure) {
  const uint32_t doublings = std::min(failures_++, 10u);
  Duration pause = std::min<Duration>(pause_min * (int64_t{1} << doublings), pause_max);
  // So that many relays do not come at the same time.
  pause +=
      Duration{static_cast<int64_t>(parts_.random.below(static_cast<uint64_t>(pause.count()) / 4))};
  pause = std::max(pause, failure.retry_after.value_or(Duration::zero()));
  not_before_ = now_ + pause;
  retry_at_ = wall_now_ + pause;
  if (is_again()) give_back();
  if (failure.text.empty()) return;
  if (problem_.empty()) problem_since_ = wall_now_;
  problem_ = std::move(failure.text);
  lasting_ = failure.lasting;
  if (told_problem_ == problem_ && now_ - told_at_ < told_again) return;
  told_problem_ = problem_;
  told_at_ = now_;
  const std::string text = "forward: " + problem_;
  if (lasting_) {
    log_error(text + "; nothing is forwarded until this is mended, and events are kept meanwhile");
  } else {
    log_warning(text + "; events are kept, and sent later");
  }
}

void Forward::succeed() {
  failures_ = 0;
  last_success_at_ = wall_now_;
  if (problem_.empty()) return;
  log_info("forward: the central relay takes events again");
  problem_.clear();
  lasting_ = false;
  told_problem_.clear();
}

// --- for people ----------------------------------------------------------------------------------

std::optional<Instant> Forward::due() const {
  if (!answers_.empty()) return now_;
  return is_on() && calls_ == 0 ? due_ : std::nullopt;
}

ForwardStatus Forward::status() const {
  const uint64_t only_here = count_only_here();
  if (!is_on())
    return {.set_aside = set_aside_.count(),
            .again = set_aside_.again_count(),
            .lost = lost_ + only_here};
  ForwardStatus status{.state = ForwardState::idle,
                       .url = settings_.url->text(),
                       .backlog = reader_.count_behind(done_) + only_here,
                       .forwarded = forwarded_,
                       .duplicates = duplicates_,
                       .set_aside = set_aside_.count(),
                       .again = set_aside_.again_count(),
                       .lost = lost_,
                       .problem = problem_,
                       .last_success_at = last_success_at_};
  if (status.backlog > 0 || status.again > 0) status.state = ForwardState::sending;
  if (!batch_.empty() && !is_again()) status.oldest_at = batch_.front().accepted_at;
  if (problem_.empty()) return status;
  status.state = lasting_ ? ForwardState::held : ForwardState::waiting;
  status.problem_since = problem_since_;
  status.retry_at = retry_at_;
  return status;
}

Result<uint64_t> Forward::send_again(const SetAsideChoice& choice) {
  due_ = now_;
  wake_();
  return set_aside_.send_again(choice);
}

}  // namespace ringpost::control
