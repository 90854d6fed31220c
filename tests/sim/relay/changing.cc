#include "sim/relay/changing.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <utility>

namespace ringpost::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr size_t receiver_count = 3;
constexpr std::array<std::string_view, 3> types{"build/started", "build/done", "tick"};
constexpr std::array<std::string_view, 4> patterns{"*", "build/*", "build/done", "tick"};
constexpr std::string_view schedule_json = "[1,1,2]";
constexpr uint32_t attempts_max = 4;
constexpr Duration timeout = milliseconds{1500};
/// What an attempt that had begun when the webhook changed may take: its time, and bytes that are
/// late.
constexpr Duration attempt_max = timeout + seconds{2};

template <typename Choices>
std::string pick(Prng& random, const Choices& choices) {
  return std::string{choices[random.below(choices.size())]};
}

bool pattern_matches(std::string_view pattern, std::string_view type) {
  if (pattern == "*") return true;
  if (!pattern.ends_with("/*")) return pattern == type;
  return type.starts_with(pattern.substr(0, pattern.size() - 1));
}

std::string text_of(const std::string& json, std::string_view member) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  std::string_view text;
  if (parser.parse(json).get(root) != simdjson::SUCCESS) return {};
  return root[member].get(text) == simdjson::SUCCESS ? std::string{text} : std::string{};
}

/// The number behind `before`.
std::optional<size_t> number_after(std::string_view text, std::string_view before) {
  const size_t at = text.find(before);
  if (at == std::string_view::npos) return std::nullopt;
  size_t number = 0;
  const char* begin = text.data() + at + before.size();
  const auto [end, error] = std::from_chars(begin, text.data() + text.size(), number);
  return error == std::errc{} ? std::optional{number} : std::nullopt;
}

}  // namespace

void Changing::Totals::add(const Totals& other) {
  acknowledged += other.acknowledged;
  changes += other.changes;
  doubts += other.doubts;
  cancelled += other.cancelled;
  sent_again += other.sent_again;
  must += other.must;
  either += other.either;
  requests += other.requests;
}

Changing::Changing(RelayHarness& relay)
    : relay_(relay),
      world_(relay.world()),
      producer_(world_,
                {.to = RelayHarness::address,
                 .connections = 1 + world_.random().below(4),
                 .timeout = seconds{5}},
                [this](const HttpProducer::Exchange& exchange) { on_event_end(exchange); }),
      person_(world_, {.to = RelayHarness::address, .connections = 1, .timeout = seconds{5}},
              [this](const HttpProducer::Exchange& exchange) { on_change_end(exchange); }) {
  for (size_t number = 0; number < receiver_count; ++number) {
    const io::Address at = address("10.0.0." + std::to_string(number + 2), 80);
    receivers_.push_back(std::make_unique<HttpReceiver>(
        world_, at, [this, number](const HttpReceiver::Request& request) {
          return on_request(number, request);
        }));
  }
}

void Changing::wrong(std::string what) {
  if (wrong_.size() < 20) wrong_.push_back(std::move(what));
}

bool Changing::done() const {
  return waiting_ == 0 && !in_doubt_ && producer_.open_count() == 0 && person_.open_count() == 0;
}

// --- events --------------------------------------------------------------------------------------

void Changing::schedule(size_t events, size_t changes, Duration span) {
  for (size_t event = 0; event < events; ++event) {
    ++waiting_;
    world_.after(world_.between({}, span), [this] {
      --waiting_;
      post_event();
    });
  }
  for (size_t change = 0; change < changes; ++change) {
    ++waiting_;
    world_.after(world_.between({}, span), [this] {
      --waiting_;
      try_change();
    });
  }
}

void Changing::post_event() {
  const size_t number = events_.size();
  Event& event = events_.emplace_back();
  event.type = pick(world_.random(), types);
  event.sent = world_.now();
  event_of_post_[producer_.exchanges().size()] = number;
  producer_.post("/v1/events",
                 event_json("event-" + std::to_string(number), "app/one", event.type,
                            "{\"n\":" + std::to_string(number) + "}"),
                 authorized("application/json"));
}

void Changing::on_event_end(const HttpProducer::Exchange& exchange) {
  Event& event = events_[event_of_post_.at(exchange.number)];
  const int status = exchange.status();
  event.acknowledged = status == 202;
  event.refused = status != 0 && status != 202;
  if (status != 0) event.answered = world_.now();
  if (event.acknowledged) ++totals_.acknowledged;
  if (event.refused && status != 503 && status != 507 && status != 408) {
    wrong("answer " + std::to_string(status) + " to a good event: " + exchange.answer.body);
  }
}

// --- changes -------------------------------------------------------------------------------------

std::string Changing::webhook_url(size_t hook, const Version& version) {
  return "http://10.0.0." + std::to_string(version.receiver + 2) + "/hook/" + std::to_string(hook) +
         "/" + std::to_string(version.url);
}

void Changing::create_webhooks(ApiClient& api, size_t count) {
  Prng& random = world_.random();
  for (size_t number = 0; number < count; ++number) {
    Version first{.asked = world_.now(),
                  .answered = {},
                  .receiver = random.below(receiver_count),
                  .events = pick(random, patterns)};
    std::string json = "{\"url\":\"" + webhook_url(number, first) + "\"";
    json += ",\"events\":[\"" + first.events + "\"],\"schedule\":" + std::string{schedule_json};
    json += ",\"timeout_ms\":" + std::to_string(timeout / milliseconds{1});
    json += ",\"concurrency_max\":" + std::to_string(random.between(1, 8)) + "}";
    hooks_.push_back({.id = api.create_webhook(std::move(json)), .versions = {}});
    first.answered = world_.now();
    hooks_.back().versions.push_back(std::move(first));
  }
}

/// One after the other: while one is under way, or in doubt, the next one waits.
void Changing::try_change() {
  if (changes_.empty() && repeats_.empty() && !in_doubt_) return change();
  ++waiting_;
  world_.after(world_.between(milliseconds{10}, milliseconds{300}), [this] {
    --waiting_;
    try_change();
  });
}

void Changing::change() {
  Prng& random = world_.random();
  if (random.chance(1, 4)) return send_again();
  const size_t hook = random.below(hooks_.size());
  if (hooks_[hook].deleted()) return;
  const bool active = hooks_[hook].versions.back().active;
  if (random.chance(1, 10)) return remove(hook);
  if (!active || random.chance(1, 4)) return enable(hook, !active);
  move(hook);
}

/// To another URL, of the same receiver or another one, and to other events.
void Changing::move(size_t number) {
  Prng& random = world_.random();
  const Hook& hook = hooks_[number];
  Change change{.hook = number, .to = hook.versions.back()};
  change.to.url = hook.versions.size();
  change.to.receiver = random.below(receiver_count);
  change.to.events = pick(random, patterns);
  request(change, "PATCH", "/v1/webhooks/" + hook.id,
          "{\"url\":\"" + webhook_url(number, change.to) + "\",\"events\":[\"" + change.to.events +
              "\"]}");
}

void Changing::enable(size_t number, bool active) {
  const Hook& hook = hooks_[number];
  Change change{.hook = number, .to = hook.versions.back()};
  change.to.active = active;
  request(change, "POST", "/v1/webhooks/" + hook.id + (active ? "/enable" : "/disable"), {});
}

void Changing::remove(size_t number) {
  Change change{.hook = number, .to = hooks_[number].versions.back()};
  change.to.active = false;
  change.to.deleted = true;
  request(change, "DELETE", "/v1/webhooks/" + hooks_[number].id, {});
}

void Changing::request(const Change& change, std::string method, std::string target,
                       std::string body) {
  Change& kept = changes_[person_.exchanges().size()] = change;
  kept.to.asked = world_.now();
  kept.to.answered.reset();
  // From now on it may be in force.
  if (!change.asks) hooks_[change.hook].versions.push_back(kept.to);
  person_.request(std::move(method), std::move(target), std::move(body),
                  authorized("application/json"));
}

/// What the relay says once it has done what it had read of the change. Nothing else changes until
/// then.
void Changing::ask(const Change& change) {
  Change asking = change;
  asking.asks = true;
  in_doubt_ = true;
  world_.after(seconds{2}, [this, asking] {
    changes_[person_.exchanges().size()] = asking;
    person_.request("GET", "/v1/webhooks/" + hooks_[asking.hook].id, {},
                    authorized("application/json"));
  });
}

void Changing::on_change_end(const HttpProducer::Exchange& exchange) {
  if (auto repeat = repeats_.extract(exchange.number))
    return on_sent_again(exchange, repeat.mapped());
  const Change change = changes_.extract(exchange.number).mapped();
  const int status = exchange.status();
  if (change.asks) {
    if (status == 200 || status == 404) return settle_doubt(change, exchange.answer);
    return ask(change);
  }
  if (status >= 200 && status < 300) return confirm(change, world_.now());
  if (status == 0 || status == 503) {
    ++totals_.doubts;
    return ask(change);
  }
  wrong("answer " + std::to_string(status) + " to a good change: " + exchange.answer.body);
}

void Changing::settle_doubt(const Change& change, const HttpMessage& answer) {
  in_doubt_ = false;
  std::deque<Version>& versions = hooks_[change.hook].versions;
  const Version& to = versions.back();
  const bool gone = answer.status() == 404;
  const bool shown = !gone && text_of(answer.body, "url") == webhook_url(change.hook, to) &&
                     (text_of(answer.body, "state") == "active") == to.active;
  if (to.deleted ? gone : shown) return confirm(change, world_.now());
  if (gone) return wrong("webhook " + std::to_string(change.hook) + " is gone");
  // It never was in force, and never will be. Its number stays: no other version gets its URL.
  Version before = versions[versions.size() - 2];
  before.asked = to.asked;
  before.answered = world_.now();
  versions.back() = std::move(before);
}

void Changing::confirm(const Change& change, Instant answered) {
  hooks_[change.hook].versions.back().answered = answered;
  ++totals_.changes;
  // The edge: what comes right behind the answer, to whichever shard.
  for (uint64_t more = world_.random().below(5); more > 0; --more) post_event();
}

void Changing::send_again() {
  if (deliveries_.empty()) return;
  const SentAgain again = deliveries_[world_.random().below(deliveries_.size())];
  repeats_[person_.exchanges().size()] = again;
  person_.request("POST", "/v1/deliveries/" + again.delivery + "/redeliver", "{}",
                  authorized("application/json"));
}

void Changing::on_sent_again(const HttpProducer::Exchange& exchange, const SentAgain& again) {
  const int status = exchange.status();
  if (status == 202) {
    sent_again_[text_of(exchange.answer.body, "id")] = again;
    ++totals_.sent_again;
  } else if (status != 0 && status != 503 && status != 507 && status != 404 && status != 409) {
    wrong("answer " + std::to_string(status) + " to sending again: " + exchange.answer.body);
  }
}

// --- receivers -----------------------------------------------------------------------------------

HttpReceiver::Answer Changing::on_request(size_t receiver, const HttpReceiver::Request& request) {
  ++totals_.requests;
  const auto hook = number_after(request.target(), "/hook/");
  const auto event = number_after(request.body(), "{\"n\":");
  if (!hook || *hook >= hooks_.size() || !event || *event >= events_.size()) {
    wrong("a request that nobody asked for: " + request.message.start_line);
    return {};
  }
  const std::string before = "/hook/" + std::to_string(*hook) + "/";
  const size_t url = number_after(request.target(), before).value_or(0);
  const std::string what = "event " + std::to_string(*event) + " to webhook " +
                           std::to_string(*hook) + ", URL " + std::to_string(url);
  if (!may_come(hooks_[*hook], url, receiver)) wrong(what + ": it leads elsewhere, or nowhere");
  HttpReceiver::Answer answer = draw_answer();
  const std::string delivery{request.header("ringpost-delivery")};
  Arrival& arrival = arrivals_[delivery];
  if (++arrival.requests == 1) deliveries_.push_back({.delivery = delivery, .hook = *hook});
  arrival.answered_well |=
      answer.status == 200 && (answer.way == HttpReceiver::Answer::Way::whole ||
                               answer.way == HttpReceiver::Answer::Way::cut);
  return answer;
}

/// Whether a version with that URL is in force, or was when an attempt may have begun that goes on.
bool Changing::may_come(const Hook& hook, size_t url, size_t receiver) const {
  for (size_t index = 0; index < hook.versions.size(); ++index) {
    const Version& version = hook.versions[index];
    if (version.url != url || version.receiver != receiver || !version.active) continue;
    const bool last = index + 1 == hook.versions.size();
    const auto ended = last ? std::nullopt : hook.versions[index + 1].answered;
    if (!ended || world_.now() <= *ended + attempt_max) return true;
  }
  return false;
}

HttpReceiver::Answer Changing::draw_answer() {
  using Answer = HttpReceiver::Answer;
  Prng& random = world_.random();
  if (!misbehaving_ || random.chance(6, 10)) return {};
  Answer answer{.delay = world_.between({}, milliseconds{50})};
  switch (random.below(6)) {
    case 0: answer.status = 500; break;
    case 1:
      answer.status = 503;
      answer.headers = {{"Retry-After", std::to_string(random.below(3))}};
      break;
    case 2: answer.way = Answer::Way::never; break;
    case 3: answer.way = Answer::Way::reset; break;
    case 4:
      answer.way = Answer::Way::cut;
      answer.bytes = random.below(60);
      break;
    case 5: answer.delay = world_.between({}, seconds{2}); break;
  }
  return answer;
}

// --- judgement -----------------------------------------------------------------------------------

/// Over the versions that may have been in force while the event was under way.
Changing::Match Changing::match(const Hook& hook, const Event& event) const {
  if (event.refused) return Match::no;
  bool all = event.acknowledged;
  bool any = false;
  for (size_t index = 0; index < hook.versions.size(); ++index) {
    const Version& version = hook.versions[index];
    const bool begun_after = event.answered && version.asked > *event.answered;
    const bool ended_before = index + 1 < hook.versions.size() &&
                              hook.versions[index + 1].answered &&
                              *hook.versions[index + 1].answered < event.sent;
    if (begun_after || ended_before) continue;
    const bool matches = version.active && pattern_matches(version.events, event.type);
    all = all && matches;
    any = any || matches;
  }
  return !any ? Match::no : all ? Match::must : Match::either;
}

bool Changing::may_be_cancelled(const Hook& hook, const Event& event) const {
  for (size_t index = 1; index < hook.versions.size(); ++index) {
    const Version& version = hook.versions[index];
    if (!version.active && (!version.answered || *version.answered >= event.sent)) return true;
  }
  return false;
}

std::vector<std::string> Changing::judge(ApiClient& api) {
  for (size_t hook = 0; hook < hooks_.size(); ++hook) {
    if (!hooks_[hook].deleted()) judge_hook(api, hook);
  }
  for (const auto& [delivery, arrival] : arrivals_) {
    if (arrival.requests > attempts_max + restarts_) {
      wrong("delivery " + delivery + " came " + std::to_string(arrival.requests) + " times");
    }
  }
  for (const auto& [delivery, again] : sent_again_) {
    if (!hooks_[again.hook].deleted())
      wrong("delivery " + delivery + ", sent again, is not listed");
  }
  return wrong_;
}

void Changing::judge_hook(ApiClient& api, size_t number) {
  const Hook& hook = hooks_[number];
  std::vector<bool> listed(events_.size());
  const std::vector<DeliveryItem> items = api.deliveries(hook.id);
  for (const DeliveryItem& item : items) {
    const auto event = number_after(item.event_id, "event-");
    if (!item.redelivery_of.empty() || !event || *event >= events_.size()) continue;
    if (listed[*event]) wrong("delivery " + item.id + " is one of two of its event");
    listed[*event] = true;
    judge_delivery(number, *event, item);
  }
  for (size_t event = 0; event < events_.size(); ++event) {
    const Match known = match(hook, events_[event]);
    totals_.must += known == Match::must ? 1 : 0;
    totals_.either += known == Match::either ? 1 : 0;
    const std::string what =
        "event " + std::to_string(event) + " to webhook " + std::to_string(number);
    if (known == Match::must && !listed[event]) wrong(what + " was promised and is not listed");
    if (known == Match::no && listed[event]) wrong(what + " is listed and cannot match");
  }
  judge_sent_again(items);
}

void Changing::judge_delivery(size_t hook, size_t event, const DeliveryItem& item) {
  const std::string what = "delivery " + item.id + ", event " + std::to_string(event) +
                           " to webhook " + std::to_string(hook);
  const auto arrival = arrivals_.find(item.id);
  if (item.status == "delivered") {
    if (arrival == arrivals_.end() || !arrival->second.answered_well) {
      wrong(what + " was not answered with 200");
    }
  } else if (item.status == "dead") {
    if (item.last_error.empty()) wrong(what + " is dead without a reason");
  } else if (item.status == "cancelled") {
    ++totals_.cancelled;
    if (!may_be_cancelled(hooks_[hook], events_[event])) wrong(what + " is cancelled");
  } else {
    wrong(what + " ended as " + item.status);
  }
}

/// Of those whose webhook is still there: each answer named one that exists.
void Changing::judge_sent_again(const std::vector<DeliveryItem>& items) {
  for (const DeliveryItem& item : items) {
    if (item.redelivery_of.empty()) continue;
    if (item.status == "pending") wrong("delivery " + item.id + ", sent again, is still pending");
    const auto known = sent_again_.find(item.id);
    if (known == sent_again_.end()) continue;  // Its answer was lost.
    if (known->second.delivery != item.redelivery_of)
      wrong("delivery " + item.id + " is of another one");
    sent_again_.erase(known);
  }
}

}  // namespace ringpost::sim
