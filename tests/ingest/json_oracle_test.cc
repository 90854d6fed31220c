#include "base/prng.h"
#include "ingest/event_parser.h"
#include "json/text.h"
#include "tests/ingest/requests.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <optional>
#include <string>
#include <vector>

// Goal: what the walk over `data` accepts is what JSON is, no more and no less.
// Method: simdjson's DOM parser, which reads every byte, is the judge; bodies are good ones with
// random damage. Where the two may differ on purpose (numbers beyond 64 bits, lone surrogates, both
// JSON by the grammar and refused by the DOM) the case is left out.

namespace ringpost::ingest {
namespace {

const std::vector<std::string> seeds{
    R"({"a":[1,2.5,-3e10,true,false,null],"b":{"c":"d\n\u00e9\"","e":[]},"f":""})",
    R"({"build":{"number":128,"git":{"src_branch":"feature/x","tag":null}},"ok":true})",
    R"({ "x" : [ [ [ ] , { } ] , "y" ] , "z" : 0.0 })",
    R"({"ü":"😀","\ud83d\ude00":"\\","n":[0,-0,1E5,1e-5,10]})",
};
constexpr std::string_view alphabet =
    "{}[]:,\"\\ \n\t0123456789-+.eEtrufalsn/bx\x01\x7f\xc3\xa9\xff";

std::string damage(std::string text, Prng& random) {
  const uint64_t changes = random.between(1, 4);
  for (uint64_t change = 0; change < changes && !text.empty(); ++change) {
    const size_t at = random.below(text.size());
    const char byte = alphabet[random.below(alphabet.size())];
    switch (random.below(5)) {
      case 0: text[at] = byte; break;
      case 1: text.insert(at, 1, byte); break;
      case 2: text.erase(at, random.between(1, 3)); break;
      case 3: text.insert(at, text.substr(random.below(text.size()), random.between(1, 6))); break;
      default: std::swap(text[at], text[random.below(text.size())]); break;
    }
  }
  return text;
}

/// What the judge says; nothing where the two may differ.
std::optional<bool> is_json_object(simdjson::dom::parser& judge, const std::string& text) {
  simdjson::dom::element root;
  const auto error = judge.parse(text).get(root);
  if (error == simdjson::SUCCESS) return root.is_object();
  if (error == simdjson::NUMBER_ERROR || error == simdjson::STRING_ERROR) return std::nullopt;
  return false;
}

TEST(EventParser, AgreesWithTheDomParserOnDamagedData) {
  simdjson::dom::parser judge;
  EventParser parser{EventLimits{}};
  std::vector<journal::EventView> events;
  uint32_t accepted = 0;
  uint32_t refused = 0;
  for (uint64_t seed = 1; seed <= 60'000; ++seed) {
    Prng random{seed};
    const std::string data = damage(seeds[random.below(seeds.size())], random);
    const auto expected = is_json_object(judge, data);
    if (!expected) continue;
    const std::string before = R"({"type":"t","source":"s","data":)";
    // The views in `events` point into it.
    const auto request = test::request_of("application/json", before + data + "}");
    const auto refusal = parser.parse(request, events);
    if (*expected) {
      // The object may be followed by nothing but white space, which is not part of it.
      ASSERT_FALSE(refusal) << "seed " << seed << ": " << data << ": " << refusal->detail;
      const std::string_view kept = as_text(events.at(0).data);
      ASSERT_EQ(kept, json::trim_end(std::string_view{data}.substr(data.find('{')))) << seed;
      ++accepted;
    } else if (!refusal) {
      // The damage may have closed the event and begun another member: then data is a part.
      const std::string_view kept = as_text(events.at(0).data);
      ASSERT_TRUE(is_json_object(judge, std::string{kept}).value_or(true)) << seed << ": " << data;
      ASSERT_LT(kept.size(), data.size()) << seed << ": " << data;
    } else {
      ++refused;
    }
  }
  EXPECT_GT(accepted, 1000u);
  EXPECT_GT(refused, 10'000u);
}

TEST(EventParser, SurvivesAnyBytesInAnyPacking) {
  EventParser parser{EventLimits{.event_bytes_max = 300, .batch_events_max = 20}};
  std::vector<journal::EventView> events;
  const std::string one =
      R"({"specversion":"1.0","id":"1","type":"t","source":"s","time":"2031-05-04T09:08:07Z","x":1,"teams":["a"],"data":{"a":[1,"\u00e9"]}})";
  const std::string in_base64 =
      R"({"specversion":"1.0","id":"1","type":"t","source":"s","data_base64":"AAEC"})";
  const std::vector<std::pair<const char*, std::string>> bodies{
      {"application/json", one},
      {"application/x-ndjson", one + "\n\r\n" + one + "\r\n"},
      {"application/cloudevents+json", in_base64},
      {"application/cloudevents-batch+json", "[" + one + ", " + in_base64 + "]"},
      {"application/json",
       R"({"context":{"id":"1","source":"s","type":"dev.cdevents.a.b.0.1.0","timestamp":)"
       R"("2031-05-04T09:08:07Z"},"subject":{"id":"x"},"customData":[{"a":1.0}]})"},
  };
  for (uint64_t seed = 1; seed <= 40'000; ++seed) {
    Prng random{seed};
    const auto& [type, body] = bodies[random.below(bodies.size())];
    const std::string damaged = damage(body, random);
    const auto request = test::request_of(type, damaged);
    const auto refusal = parser.parse(request, events);
    ASSERT_EQ(refusal.has_value(), events.empty()) << seed;
    for (const journal::EventView& event : events) {
      ASSERT_FALSE(event.type.empty()) << seed;
      ASSERT_FALSE(event.source.empty()) << seed;
      ASSERT_EQ(event.id_given, !event.id.empty()) << seed;
      ASSERT_LE(event.id.size(), 128u) << seed;
      if (!event.extensions.empty()) {
        simdjson::dom::parser judge;
        ASSERT_EQ(judge.parse(std::string{event.extensions}).error(), simdjson::SUCCESS)
            << seed << event.extensions;
      }
    }
  }
}

}  // namespace
}  // namespace ringpost::ingest
