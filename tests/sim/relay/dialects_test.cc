// Goal: what holds for bodies that are an event's data as it came holds as well for those that a
// dialect makes of it: nothing promised is lost, nothing is invented, and every attempt sends what
// the dialect's specification says of this event, over lost connections, crashes and restarts.
// Method: one webhook of each dialect and events for all of them, in worlds drawn from seeds. What
// a body has to be is written down here once more, beside the renderers.

#include "sim/ledger.h"
#include "sim/relay/small_world.h"

#include <array>
#include <charconv>
#include <map>

namespace ringpost::sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Answer = HttpReceiver::Answer;
using Request = HttpReceiver::Request;

constexpr std::array<std::string_view, 6> hooks{"standard",  "bitrise",    "buildkite",
                                                "devopness", "structured", "binary"};
constexpr std::string_view time_of_all = "2031-05-04T09:08:07Z";

struct Event {
  std::string id;
  std::string source;
  std::string type;
  std::string data;
  std::string_view own;  ///< The dialect whose webhook wants it, besides those that want all.
};

Event make_event(size_t number, uint64_t kind) {
  const std::string n = std::to_string(number);
  Event event{.id = "e" + n, .source = {}, .type = {}, .data = {}, .own = {}};
  switch (kind) {
    case 0:
      event.own = "bitrise";
      event.source = "app/c0ffee";
      event.type = "build/finished";
      event.data = R"({"n":)" + n + R"(, "f": 1.0})";
      break;
    case 1:
      event.own = "buildkite";
      event.source = "pipeline/shop";
      event.type = "build.finished";
      event.data = R"({"n":)" + n + R"(,"build":{ "number": 7.50 }})";
      break;
    default:
      event.own = "devopness";
      event.source = "scheduler/1";
      event.type = "action.status_changed";
      event.data = R"({"n":)" + n + R"(,"action":{"id":)" + n +
                   R"(,"pipeline_id":33,"status":"failed"},"user":{"name":"A \"b\""}})";
      break;
  }
  return event;
}

bool wants(std::string_view hook, const Event& event) {
  return hook == "standard" || hook == "structured" || hook == "binary" || hook == event.own;
}

std::string expected_body(std::string_view hook, const Event& event) {
  if (hook == "devopness") {
    return R"({"n":")" + event.id.substr(1) + R"(","s":"failed by A \"b\""})";
  }
  if (hook == "buildkite") {
    return R"({"event":"build.finished",)" + event.data.substr(1, event.data.size() - 2) +
           R"(,"sender":)";
  }
  if (hook == "structured") {
    return R"({"specversion":"1.0","id":")" + event.id + R"(","source":")" + event.source +
           R"(","type":")" + event.type + R"(","time":")" + std::string{time_of_all} +
           R"(","data":)" + event.data + "}";
  }
  return event.data;
}

/// The number that stands in a body as `"n":17` or `"n":"17"`.
size_t number_in(std::string_view body) {
  size_t number = SIZE_MAX;
  const size_t found = body.find(R"("n":)");
  if (found == std::string_view::npos) return number;
  body.remove_prefix(found + 4);
  if (body.starts_with('"')) body.remove_prefix(1);
  std::from_chars(body.data(), body.data() + body.size(), number);
  return number;
}

/// All that happens from one seed.
class DialectRun {
 public:
  explicit DialectRun(uint64_t seed) : small_(seed, static_cast<uint32_t>(seed % 3 + 1)) {}

  void live();

  Ledger ledger;
  std::vector<std::string> wrong;
  std::map<std::string_view, uint64_t> arrived;  ///< By webhook.
  uint64_t questions = 0;

 private:
  void create_webhooks();
  void post_events();
  Answer on_request(const Request& request);
  void take(const Request& request, std::string_view hook);
  void judge();
  static std::string key(std::string_view hook, size_t number) {
    return std::string{hook} + " " + std::to_string(number);
  }

  SmallWorld small_;
  std::map<std::string_view, std::string> ids_;
  std::vector<Event> events_;
  bool misbehaving_ = true;
};

void DialectRun::create_webhooks() {
  const std::map<std::string_view, std::string> members{
      {"standard", R"("dialect":"standard")"},
      {"bitrise", R"("dialect":"bitrise","sources":["app/c0ffee"],"events":["build/finished"])"},
      {"buildkite", R"("dialect":"buildkite","events":["build.finished"])"},
      {"devopness", R"("dialect":"devopness","settings":{"pipeline_id":33,"request_body":)"
                    R"({"n":"{{ action.id }}","s":"{{ action.status }} by {{ user.name }}"},)"
                    R"("trigger_when":{"events":["action.failed"]}})"},
      {"structured", R"("dialect":"cloudevents")"},
      {"binary", R"("dialect":"cloudevents","settings":{"mode":"binary"})"},
  };
  for (const std::string_view hook : hooks) {
    ids_[hook] = small_.api.create_webhook(R"({"url":"http://10.0.0.2/)" + std::string{hook} +
                                           R"(","schedule":[1,1,2,3],"timeout_ms":2000,)" +
                                           members.at(hook) + "}");
  }
}

Answer DialectRun::on_request(const Request& request) {
  if (request.method() == "OPTIONS") {
    ++questions;
    return {.headers = {{"WebHook-Allowed-Origin", "*"}}};
  }
  take(request, request.target().substr(1));
  Prng& random = small_.world.random();
  if (!misbehaving_ || random.chance(1, 2)) return {};
  switch (random.below(5)) {
    case 0: return {.status = 500};
    case 1: return {.way = Answer::Way::reset};
    case 2: return {.way = Answer::Way::drop};
    case 3: return {.way = Answer::Way::never};
    default: return {.delay = small_.world.between({}, seconds{3})};
  }
}

void DialectRun::take(const Request& request, std::string_view hook) {
  // Buildkite tries a webhook out when it is made.
  if (hook == "buildkite" && request.body().starts_with(R"({"event":"ping")")) return;
  const size_t number = number_in(request.body());
  if (number >= events_.size()) return wrong.push_back("nobody's request: " + request.body());
  const Event& event = events_[number];
  std::string body = request.body();
  // Whom a Buildkite body names as sender is the renderer's matter (its own test).
  if (hook == "buildkite") body.resize(std::min(body.size(), expected_body(hook, event).size()));
  ledger.delivered(key(hook, number), body);
  if (hook == "binary" && request.header("ce-id") != event.id) wrong.push_back("another ce-id");
  ++arrived[*std::ranges::find(hooks, hook)];
}

void DialectRun::post_events() {
  Prng& random = small_.world.random();
  for (size_t number = 0; number < 30; ++number) {
    const Event& event = events_.emplace_back(make_event(number, random.below(3)));
    for (const std::string_view hook : hooks) {
      if (wants(hook, event)) ledger.posted(key(hook, number), expected_body(hook, event));
    }
  }
}

void DialectRun::live() {
  World& world = small_.world;
  small_.answer = [this](const Request& request) { return on_request(request); };
  create_webhooks();
  post_events();
  world.set_faults(Faults::random(world.random()));
  HttpProducer producer(world, {.to = RelayHarness::address, .timeout = seconds{5}},
                        [this](const HttpProducer::Exchange& exchange) {
                          const size_t number = number_in(exchange.body);
                          for (const std::string_view hook : hooks) {
                            if (!wants(hook, events_[number])) continue;
                            const std::string what = key(hook, number);
                            exchange.status() == 202 ? ledger.acknowledged(what)
                            : exchange.status() == 0 ? ledger.indeterminate(what)
                                                     : ledger.refused(what);
                          }
                        });
  for (const Event& event : events_) {
    world.after(world.between({}, seconds{4}), [&producer, &event] {
      std::string json = event_json(event.id, event.source, event.type, event.data);
      json.insert(1, R"("time":")" + std::string{time_of_all} + "\",");
      producer.post("/v1/events", std::move(json), authorized("application/json"));
    });
  }
  for (uint64_t crashes = world.random().below(3); crashes > 0; --crashes) {
    world.run_for(world.between({}, seconds{2}));
    small_.restart(world.random().chance(1, 2) ? Crash::power : Crash::kill);
  }
  world.run_for(seconds{10});
  world.set_faults({});
  misbehaving_ = false;
  small_.restart();
  if (!small_.settle(hours{1})) wrong.emplace_back("it did not settle");
  judge();
}

void DialectRun::judge() {
  for (const std::string_view hook : hooks) {
    for (const DeliveryItem& item : small_.api.deliveries(ids_[hook])) {
      if (item.status == "dead") ledger.accounted(key(hook, std::stoul(item.event_id.substr(1))));
    }
  }
  const Ledger::Verdict verdict = ledger.verdict();
  if (!verdict.clean()) wrong.push_back(verdict.to_text());
}

TEST(RelayDialects, LoseInventAndAlterNothing) {
  std::map<std::string_view, uint64_t> arrived;
  uint64_t questions = 0;
  constexpr uint64_t seeds = 40;
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    DialectRun run(seed);
    run.live();
    ASSERT_TRUE(run.wrong.empty()) << "seed " << seed << ": " << run.wrong.front();
    for (const auto& [hook, count] : run.arrived) arrived[hook] += count;
    questions += run.questions;
  }
  // A run that exercises nothing proves nothing.
  for (const std::string_view hook : hooks) EXPECT_GT(arrived[hook], seeds * 5) << hook;
  EXPECT_GE(questions, 2 * seeds);
}

}  // namespace
}  // namespace ringpost::sim
