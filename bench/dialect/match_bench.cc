// What it costs to find the webhooks of a large event where each of them asks for something in its
// data, beside reading that one fact once, which nothing can go below, and beside looking for it
// anew for each webhook, as was done before facts were shared (for 20 webhooks, times their
// number).
//
//   match_bench [--smoke]
//
// 2,000 Bitrise webhooks of one app with branch filters, and an event of 0.9 MB whose
// `git.src_branch` comes behind 60,000 members; 600 Devopness hooks with 64 conditions each on the
// same event. Limit: matching at most 3 x reading the fact once. Rounds alternate and medians of
// this thread's CPU time are shown: the machine is not ours alone.

#include "../measure.h"
#include "base/assert.h"
#include "dialect/dialect.h"
#include "dialect/matcher.h"
#include "subscription/table.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ringpost::dialect {
namespace {

using bench::measure;
using bench::median;
using subscription::EventFacts;
using subscription::SubscriptionTable;
using subscription::Webhook;

constexpr double limit = 3;
constexpr uint32_t asked_anew = 20;

std::string make_data() {
  std::string data = R"({"action":{"pipeline_id":33,"status":"completed"},"git":{)";
  for (int member = 0; member < 60'000; ++member) {
    data += "\"m" + std::to_string(member) + "\":12345,";
  }
  return data + R"("src_branch":"main"},"user":{"name":"Ada"}})";
}

Webhook bitrise(uint32_t number) {
  Webhook webhook = find("bitrise")->defaults();
  webhook.number = number;
  webhook.sources = {"app/c0ffee"};
  webhook.filter.branches = number % 2 == 0 ? "main release/*" : "release/* hotfix-*";
  webhook.rule = make_rule(webhook);
  return webhook;
}

Webhook devopness(uint32_t number) {
  Webhook webhook = find("devopness")->defaults();
  webhook.number = number;
  webhook.destination = {
      .url = "https://a.example/", .tls = true, .host = "a.example", .port = 443, .target = "/"};
  std::string settings =
      R"({"pipeline_id":33,"target_url":"https://a.example/","trigger_when":{"events":)"
      R"(["action.status_changed"],"conditions":[)";
  for (int condition = 0; condition < 64; ++condition) {
    settings += condition == 0 ? "" : ",";
    settings += R"({"path":"user.name","accepted_values":["Ada"]})";
  }
  const auto problem = find("devopness")->read_settings(settings + "]}}", webhook);
  if (problem) std::fprintf(stderr, "%s\n", problem->sentence().c_str());
  RINGPOST_ASSERT(!problem);
  webhook.rule = make_rule(webhook);
  return webhook;
}

struct Case {
  const char* name;
  uint32_t webhooks;
  Webhook (*make)(uint32_t number);
  std::string_view source;
  std::string_view type;
  const char* fact;
};

constexpr std::array<Case, 2> cases{
    {{"Bitrise, branch filter", 2'000, bitrise, "app/c0ffee", "build/finished", "git.src_branch"},
     {"Devopness, 64 conditions", 600, devopness, "pipeline/33", "action.status_changed",
      "user.name"}}};

/// As it was: the data is indexed once, and each webhook's rule looks for the fact.
size_t ask_each_anew(const std::vector<Webhook>& webhooks, const journal::EventView& event) {
  size_t wanting = 0;
  json::Document data;
  json::Document extensions;
  data.assign(as_text(event.data));
  for (uint32_t index = 0; index < asked_anew; ++index) {
    const EventFacts facts({.organization = event.organization,
                            .source = event.source,
                            .type = event.type,
                            .branch = {}},
                           data, extensions, routing(event.type));
    wanting += webhooks[index].rule->wants(facts) ? 1 : 0;
  }
  return wanting;
}

void run(const Case& one, const std::string& text, int rounds) {
  SubscriptionTable table(1, HashKey{0x5eed, 0xbe9c4});
  std::vector<Webhook> webhooks;
  for (uint32_t number = 1; number <= one.webhooks; ++number) {
    if (number <= asked_anew) webhooks.push_back(one.make(number));
    table.put(one.make(number));
  }
  table.publish();
  journal::EventView event;
  event.organization = "default";
  event.source = one.source;
  event.type = one.type;
  event.data = as_bytes(text);
  Matcher matcher;
  json::Document document;
  const json::Path fact = json::Path::constant(one.fact);
  std::array<std::vector<double>, 3> times;
  for (int round = 0; round < rounds; ++round) {
    times[0].push_back(
        measure(1, [&] { return !matcher.match(table.current(), event, nullptr).empty(); }));
    times[1].push_back(measure(1, [&] {
      document.assign(text);
      return document.find(fact).kind == json::Kind::string;
    }));
    times[2].push_back(measure(1, [&] { return ask_each_anew(webhooks, event) > 0; }));
  }
  const double matching = median(times[0]);
  const double once = median(times[1]);
  const double anew = once + (median(times[2]) - once) / asked_anew * one.webhooks;
  std::printf(
      "%-26s %u webhooks, event of %zu bytes: %7.2f ms; the fact once %6.2f ms: %.2f (limit %.1f); "
      "anew for each %7.0f ms\n",
      one.name, one.webhooks, text.size(), matching / 1e6, once / 1e6, matching / once, limit,
      anew / 1e6);
}

}  // namespace
}  // namespace ringpost::dialect

int main(int argument_count, char** arguments) {
  const bool smoke = argument_count > 1 && std::string_view{arguments[1]} == "--smoke";
  const std::string data = ringpost::dialect::make_data();
  for (const auto& one : ringpost::dialect::cases) {
    ringpost::dialect::run(one, data, smoke ? 1 : 15);
  }
  return 0;
}
