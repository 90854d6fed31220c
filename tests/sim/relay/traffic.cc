#include "sim/relay/traffic.h"

#include "crypto/base64.h"
#include "crypto/hex.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
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
constexpr std::array<std::string_view, 5> sources{"app/one", "app/two", "resource/server/7",
                                                  "resource/disk", "lonely"};
constexpr std::array<std::string_view, 4> types{"build/started", "build/done", "deploy/done",
                                                "tick"};
constexpr std::array<std::string_view, 6> source_patterns{"*",      "app/*",      "app/one",
                                                          "lonely", "resource/*", "app/two"};
constexpr std::array<std::string_view, 5> event_patterns{"*", "build/*", "build/done", "deploy/*",
                                                         "tick"};
/// Bitrise's dialect takes no others of these.
constexpr std::array<std::string_view, 2> bitrise_event_patterns{"*", "build/*"};

template <typename Choices>
std::string pick(Prng& random, const Choices& choices) {
  return std::string{choices[random.below(choices.size())]};
}

/// One or two different patterns.
template <typename Choices>
std::vector<std::string> pick_patterns(Prng& random, const Choices& choices) {
  std::vector<std::string> patterns{pick(random, choices)};
  std::string second = pick(random, choices);
  if (random.chance(1, 3) && second != patterns[0]) patterns.push_back(std::move(second));
  return patterns;
}

/// `*`, `kind/*` (the sim's patterns have no deeper kinds), or the name itself.
bool pattern_matches(std::string_view pattern, std::string_view name) {
  if (pattern == "*") return true;
  if (!pattern.ends_with("/*")) return pattern == name;
  return name.size() >= pattern.size() && name.starts_with(pattern.substr(0, pattern.size() - 1));
}

bool any_matches(const std::vector<std::string>& patterns, std::string_view name) {
  return std::ranges::any_of(
      patterns, [name](const std::string& pattern) { return pattern_matches(pattern, name); });
}

std::string json_list(const std::vector<std::string>& texts) {
  std::string json = "[";
  for (const std::string& text : texts) json += (json.size() > 1 ? ",\"" : "\"") + text + "\"";
  return json + "]";
}

/// HMAC-SHA256 by BoringSSL itself, not by the code that the relay signs with.
std::string hmac(std::string_view key, std::string_view message) {
  std::array<uint8_t, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), key.size(), reinterpret_cast<const uint8_t*>(message.data()),
       message.size(), digest.data(), &size);
  return {reinterpret_cast<const char*>(digest.data()), size};
}

/// The number that the test put into an event's data, from `{"n":17,…`.
std::optional<size_t> number_in(std::string_view data) {
  constexpr std::string_view before = "{\"n\":";
  if (!data.starts_with(before)) return std::nullopt;
  data.remove_prefix(before.size());
  size_t number = 0;
  const auto [end, error] = std::from_chars(data.data(), data.data() + data.size(), number);
  if (error != std::errc{}) return std::nullopt;
  return number;
}

}  // namespace

void Traffic::Totals::add(const Totals& other) {
  events += other.events;
  acknowledged += other.acknowledged;
  requests += other.requests;
  reposts += other.reposts;
  duplicates += other.duplicates;
  dead += other.dead;
}

Traffic::Traffic(RelayHarness& relay)
    : relay_(relay),
      world_(relay.world()),
      producer_(world_,
                {.to = RelayHarness::address,
                 .connections = 1 + world_.random().below(6),
                 .timeout = seconds{5}},
                [this](const HttpProducer::Exchange& exchange) { on_end(exchange); }) {
  for (size_t number = 0; number < receiver_count; ++number) {
    const io::Address at = address("10.0.0." + std::to_string(number + 2), 80);
    relay.names()["receiver-" + std::to_string(number) + ".test"] = {at};
    receivers_.push_back(std::make_unique<HttpReceiver>(
        world_, at, [this, number](const HttpReceiver::Request& request) {
          return on_request(number, request);
        }));
  }
}

void Traffic::wrong(std::string what) {
  if (wrong_.size() < 20) wrong_.push_back(std::move(what));
}

std::string Traffic::key(size_t event, size_t hook) {
  return "event " + std::to_string(event) + " to hook " + std::to_string(hook);
}

// --- webhooks ------------------------------------------------------------------------------------

void Traffic::create_webhooks(ApiClient& api, size_t count) {
  Prng& random = world_.random();
  for (size_t number = 0; number < count; ++number) {
    const uint64_t receiver = random.below(receiver_count);
    const bool bitrise = random.chance(1, 3);
    Hook hook{.id = {},
              .receiver = receiver,
              .bitrise = bitrise,
              .secret = {},
              .sources = pick_patterns(random, source_patterns),
              .events = bitrise ? pick_patterns(random, bitrise_event_patterns)
                                : pick_patterns(random, event_patterns),
              .timeout = milliseconds{random.between(300, 3000)}};
    std::string secret(24 + random.below(20), '\0');
    for (char& byte : secret) byte = static_cast<char>(random.below(256));
    if (!hook.bitrise) hook.secret = secret;
    if (hook.bitrise && random.chance(3, 4)) hook.secret = crypto::base64_encode(as_bytes(secret));
    hook.id = api.create_webhook(webhook_json(number, hook));
    hooks_.push_back(std::move(hook));
  }
}

std::string Traffic::webhook_json(size_t number, const Hook& hook) {
  Prng& random = world_.random();
  const std::string receiver = std::to_string(hook.receiver);
  const std::string host = random.chance(1, 2) ? "10.0.0." + std::to_string(hook.receiver + 2)
                                               : "receiver-" + receiver + ".test";
  std::string json = "{\"url\":\"http://" + host + "/hook/" + std::to_string(number) + "\"";
  json += ",\"dialect\":\"" + std::string{hook.bitrise ? "bitrise" : "standard"} + "\"";
  json += ",\"sources\":" + json_list(hook.sources) + ",\"events\":" + json_list(hook.events);
  json += ",\"timeout_ms\":" + std::to_string(hook.timeout / milliseconds{1});
  json += ",\"concurrency_max\":" + std::to_string(random.between(1, 8));
  if (!hook.secret.empty()) {
    const std::string secret =
        hook.bitrise ? hook.secret : "whsec_" + crypto::base64_encode(as_bytes(hook.secret));
    json += ",\"secret\":\"" + secret + "\"";
  }
  if (!hook.bitrise || random.chance(1, 3)) {
    json += ",\"schedule\":[1";
    for (uint64_t more = random.below(5); more > 0; --more) {
      json += "," + std::to_string(random.between(1, 4));
    }
    json += "]";
  }
  return json + "}";
}

bool Traffic::matches(const Hook& hook, const Event& event) {
  return any_matches(hook.sources, event.source) && any_matches(hook.events, event.type);
}

// --- producers -----------------------------------------------------------------------------------

size_t Traffic::draw_event() {
  Prng& random = world_.random();
  const size_t number = events_.size();
  Event& event = events_.emplace_back();
  event.source = pick(random, sources);
  event.type = pick(random, types);
  const size_t padding = random.chance(1, 20) ? random.below(12'000) : random.below(200);
  event.data = "{\"n\":" + std::to_string(number) + ", \"pad\":\"" +
               std::string(padding, static_cast<char>('a' + number % 26)) + "\", \"f\": 1.0}";
  for (size_t hook = 0; hook < hooks_.size(); ++hook) {
    if (!matches(hooks_[hook], event)) continue;
    event.hooks.push_back(hook);
    ledger_.posted(key(number, hook), event.data);
  }
  ++totals_.events;
  return number;
}

void Traffic::schedule_events(size_t count, Duration span) {
  Prng& random = world_.random();
  while (count > 0) {
    Post post;
    const bool with_ids = random.chance(2, 3);
    const size_t size = random.chance(1, 3) ? std::min<size_t>(count, random.between(1, 12)) : 1;
    post.form = size > 1                          ? Form::lines
                : with_ids && random.chance(1, 4) ? Form::cloudevents
                                                  : Form::native;
    post.reposts_left = with_ids ? 3 : 0;
    for (size_t index = 0; index < size; ++index) {
      const size_t number = draw_event();
      if (with_ids) {
        events_[number].id = "given-" + std::to_string(number);
        event_numbers_[events_[number].id] = number;
      }
      post.events.push_back(number);
    }
    count -= size;
    ++posts_waiting_;
    world_.after(world_.between({}, span), [this, post] {
      --posts_waiting_;
      send(post);
    });
  }
}

void Traffic::send(const Post& post) {
  std::string body;
  for (const size_t number : post.events) {
    const Event& event = events_[number];
    std::string json = event_json(event.id, event.source, event.type, event.data);
    if (post.form == Form::cloudevents) json.insert(1, "\"specversion\":\"1.0\",");
    body += json + (post.form == Form::lines ? "\n" : "");
  }
  const char* type = post.form == Form::lines         ? "application/x-ndjson"
                     : post.form == Form::cloudevents ? "application/cloudevents+json"
                                                      : "application/json";
  posts_[producer_.exchanges().size()] = post;  // Before: it may end within the call.
  producer_.post("/v1/events", std::move(body), authorized(type));
}

void Traffic::on_end(const HttpProducer::Exchange& exchange) {
  const Post post = posts_.at(exchange.number);
  const int status = exchange.status();
  if (status == 202) return on_acknowledged(post, exchange.answer);
  if (status != 0 && status != 503 && status != 507 && status != 408) {
    wrong("answer " + std::to_string(status) + " to a good request: " + exchange.answer.body);
  }
  for (const size_t number : post.events) {
    for (const size_t hook : events_[number].hooks) {
      status == 0 ? ledger_.indeterminate(key(number, hook)) : ledger_.refused(key(number, hook));
    }
  }
  repost(post);
}

void Traffic::on_acknowledged(const Post& post, const HttpMessage& answer) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  simdjson::dom::array ids;
  uint64_t accepted = 0;
  uint64_t duplicates = 0;
  const bool whole = parser.parse(answer.body).get(root) == simdjson::SUCCESS &&
                     root["accepted"].get(accepted) == simdjson::SUCCESS &&
                     root["duplicates"].get(duplicates) == simdjson::SUCCESS &&
                     root["events"].get(ids) == simdjson::SUCCESS &&
                     ids.size() == post.events.size() &&
                     accepted + duplicates == post.events.size();
  if (!whole) return wrong("a 202 that does not add up: " + answer.body);
  totals_.duplicates += duplicates;
  for (size_t index = 0; index < post.events.size(); ++index) {
    const size_t number = post.events[index];
    Event& event = events_[number];
    std::string_view id;
    if (ids.at(index)["id"].get(id) != simdjson::SUCCESS) return wrong("no id: " + answer.body);
    if (!event.id.empty() && id != event.id) wrong("the answer names another id: " + answer.body);
    event_numbers_[std::string{id}] = number;
    event.acknowledged = true;
    for (const size_t hook : event.hooks) ledger_.acknowledged(key(number, hook));
    totals_.acknowledged += event.hooks.size();
  }
}

void Traffic::repost(const Post& post) {
  if (post.reposts_left == 0) return;
  Post again = post;
  --again.reposts_left;
  ++totals_.reposts;
  ++posts_waiting_;
  world_.after(world_.between({}, seconds{2}), [this, again] {
    --posts_waiting_;
    send(again);
  });
}

// --- receivers -----------------------------------------------------------------------------------

HttpReceiver::Answer Traffic::on_request(size_t receiver, const HttpReceiver::Request& request) {
  ++totals_.requests;
  size_t hook = hooks_.size();
  const std::string_view target = request.target();
  constexpr std::string_view before = "/hook/";
  if (target.starts_with(before)) {
    std::from_chars(target.data() + before.size(), target.data() + target.size(), hook);
  }
  const auto number = number_in(request.body());
  if (hook >= hooks_.size() || hooks_[hook].receiver != receiver || !number ||
      *number >= events_.size()) {
    wrong("a request that nobody asked for: " + request.message.start_line + " " + request.body());
    return {};
  }
  ledger_.delivered(key(*number, hook), request.body());
  check_request(hooks_[hook], events_[*number], request);
  HttpReceiver::Answer answer = draw_answer();
  Arrival& arrival = arrivals_[{*number, hook}];
  const std::string delivery{request.header("ringpost-delivery")};
  if (!arrival.delivery.empty() && arrival.delivery != delivery) {
    wrong(key(*number, hook) + " came as two deliveries: " + arrival.delivery + ", " + delivery);
  }
  arrival.delivery = delivery;
  arrival.answered_well |=
      answer.status == 200 && (answer.way == HttpReceiver::Answer::Way::whole ||
                               answer.way == HttpReceiver::Answer::Way::cut);
  return answer;
}

HttpReceiver::Answer Traffic::draw_answer() {
  using Answer = HttpReceiver::Answer;
  Prng& random = world_.random();
  if (!misbehaving_ || random.chance(6, 10)) return {};
  Answer answer{.body = "thank you", .delay = world_.between({}, milliseconds{50})};
  switch (random.below(9)) {
    case 0: answer.status = 500; break;
    case 1: answer.status = 503; break;
    case 2:
      answer.status = 429;
      answer.headers = {{"Retry-After", std::to_string(random.below(3))}};
      break;
    case 3: answer.way = Answer::Way::never; break;
    case 4: answer.way = Answer::Way::drop; break;
    case 5: answer.way = Answer::Way::reset; break;
    case 6:
      answer.way = Answer::Way::cut;
      answer.bytes = random.below(60);
      break;
    case 7: answer.delay = world_.between({}, seconds{4}); break;
    case 8: answer.close = true; break;
  }
  return answer;
}

void Traffic::check_request(const Hook& hook, const Event& event,
                            const HttpReceiver::Request& request) {
  if (request.method() != "POST") wrong("not a POST: " + request.message.start_line);
  if (request.header("content-type") != "application/json") wrong("another content type");
  if (hook.bitrise) {
    if (request.header("bitrise-event-type") != event.type) wrong("another event type");
  } else if (request.header("webhook-id") != request.header("ringpost-delivery")) {
    wrong("webhook-id is not the delivery's");
  }
  check_signature(hook, request);
}

void Traffic::check_signature(const Hook& hook, const HttpReceiver::Request& request) {
  if (hook.bitrise) {
    const std::string expected =
        hook.secret.empty()
            ? ""
            : "sha256=" + crypto::hex_encode(as_bytes(hmac(hook.secret, request.body())));
    if (request.header("bitrise-hook-signature") != expected) wrong("a bad bitrise signature");
    return;
  }
  const std::string timestamp{request.header("webhook-timestamp")};
  const std::string message =
      std::string{request.header("webhook-id")} + "." + timestamp + "." + request.body();
  const std::string expected = "v1," + crypto::base64_encode(as_bytes(hmac(hook.secret, message)));
  if (request.header("webhook-signature") != expected) wrong("a bad signature");
  int64_t sent = 0;
  std::from_chars(timestamp.data(), timestamp.data() + timestamp.size(), sent);
  const int64_t age = to_unix_seconds(world_.wall_now()) - sent;
  if (age < 0 || age > hook.timeout / seconds{1} + 2) {
    wrong("a timestamp that is " + std::to_string(age) + " s old");
  }
}

// --- judgement -----------------------------------------------------------------------------------

std::vector<std::string> Traffic::judge(ApiClient& api) {
  for (size_t hook = 0; hook < hooks_.size(); ++hook) judge_hook(api, hook);
  const Ledger::Verdict verdict = ledger_.verdict();
  if (!verdict.clean()) wrong(verdict.to_text());
  return wrong_;
}

void Traffic::judge_hook(ApiClient& api, size_t hook) {
  std::vector<bool> listed(events_.size());
  for (const DeliveryItem& item : api.deliveries(hooks_[hook].id)) {
    const auto found = event_numbers_.find(item.event_id);
    // An event without id whose answer was lost: only the relay knows its name.
    if (found == event_numbers_.end()) continue;
    if (listed[found->second]) wrong(key(found->second, hook) + " is listed twice");
    listed[found->second] = true;
    judge_delivery(hook, found->second, item);
  }
  for (size_t number = 0; number < events_.size(); ++number) {
    const Event& event = events_[number];
    const bool expected = std::ranges::find(event.hooks, hook) != event.hooks.end();
    if (event.acknowledged && expected && !listed[number]) {
      wrong(key(number, hook) + " was promised and is not listed");
    }
    if (listed[number] && !expected) wrong(key(number, hook) + " is listed and does not match");
  }
}

void Traffic::judge_delivery(size_t hook, size_t event, const DeliveryItem& item) {
  const std::string what = key(event, hook) + ", delivery " + item.id;
  const auto arrival = arrivals_.find({event, hook});
  const bool arrived = arrival != arrivals_.end();
  if (arrived && arrival->second.delivery != item.id) wrong(what + " came under another id");
  if (item.status == "delivered") {
    if (!arrived || !arrival->second.answered_well) wrong(what + " was not answered with 200");
  } else if (item.status == "dead") {
    if (item.last_error.empty()) wrong(what + " is dead without a reason");
    ledger_.accounted(key(event, hook));
    ++totals_.dead;
  } else {
    wrong(what + " ended as " + item.status);
  }
}

uint64_t Traffic::hash() const {
  uint64_t hash = 0xcbf29ce484222325;
  const auto mix = [&hash](std::string_view text) {
    for (const char byte : text) hash = (hash ^ static_cast<uint8_t>(byte)) * 0x100000001b3;
  };
  for (const auto& [what, arrival] : arrivals_) {
    mix(key(what.first, what.second) + arrival.delivery + (arrival.answered_well ? "+" : "-"));
  }
  for (const auto& [id, number] : event_numbers_) mix(id + "=" + std::to_string(number));
  return hash;
}

}  // namespace ringpost::sim
