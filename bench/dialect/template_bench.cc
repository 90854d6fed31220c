// What it costs to fill a template of 1 KiB with five expansions, beside appending the same pieces
// to a string without looking anything up (which nothing can go below); what it costs to ask the
// first question of an event's data, which indexes it, beside simdjson's DOM; and what the whole
// request of a hook with five expansions costs, of which the index is a part.
//
//   template_bench [--smoke]
//
// Limit: 3 us for the fill, and for the whole request. Rounds alternate and medians of this
// thread's CPU time are shown: the machine is not ours alone.

#include "../measure.h"
#include "base/assert.h"
#include "dialect/devopness/template.h"
#include "dialect/devopness/template_compiler.h"
#include "dialect/dialect.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace ringpost::dialect::devopness {
namespace {

using bench::cpu_ns;
using bench::measure;
using bench::median;

constexpr double fill_limit_ns = 3000;
constexpr std::array<std::string_view, 3> roots{"action", "user", "application"};
constexpr std::array<std::string_view, 5> paths{
    "action.status", "action.triggered_from.hook_parsed_variables.pull_request_id",
    "action.triggered_from.hook_parsed_variables.pull_request_title", "application.name",
    "user.name"};

/// An action as Devopness shows it, of about 2 KiB.
std::string make_event() {
  std::string text = R"({"action":{"id":8801,"pipeline_id":33,"status":"in-progress","targets":[)";
  for (int target = 0; target < 15; ++target) {
    text += target == 0 ? "" : ",";
    text +=
        R"({"id":)" + std::to_string(target) +
        R"(,"resource_type":"server","status":"completed","total_steps":4,"current_step":null,"note":"a \"step\"\n"})";
  }
  return text +
         R"(],"triggered_from":{"origin":null,"trigger_type":"hook","hook_parsed_variables":)"
         R"({"pull_request_id":57,"pull_request_title":"Say \"hi\" & <b>"}}},)"
         R"("application":{"id":44,"name":"shop"},"user":{"id":1,"name":"Ada"}})";
}

/// A JSON body of about 1 KiB.
std::string make_body() {
  std::string text = R"({"members":[)";
  for (int member = 0; member < 20; ++member) {
    text += R"({"title":"a member of some fixed text","n":)" + std::to_string(member) + "},";
  }
  text += "null]";
  for (const std::string_view path : paths) {
    text.append(R"(,"x":"it is {{ )").append(path).append(R"( }}")");
  }
  return text + '}';
}

class DocumentResolver final : public Resolver {
 public:
  explicit DocumentResolver(json::Document& document) : document_(document) {}
  json::Found find(const json::Path& path) override { return document_.find(path); }

 private:
  json::Document& document_;
};

/// The parts that a filled body is made of, for the floor.
std::vector<std::string> pieces_of(const std::string& filled) {
  std::vector<std::string> pieces;
  const size_t size = filled.size() / (2 * paths.size() + 1) + 1;
  for (size_t at = 0; at < filled.size(); at += size) pieces.push_back(filled.substr(at, size));
  return pieces;
}

/// A hook with two expansions in its URL, one in a header and two in its body of 1 KiB.
subscription::Webhook make_hook() {
  subscription::Webhook webhook = find("devopness")->defaults();
  webhook.id = *Ulid::parse("01ARZ3NDEKTSV4RRFFQ69G5FAV");
  webhook.secret = "devo-demo-secret";
  webhook.destination = {.url = "https://git.example.org/",
                         .tls = true,
                         .host = "git.example.org",
                         .port = 443,
                         .target = "/"};
  const std::string settings =
      R"({"pipeline_id":33,"target_url":"https://git.example.org/{{ application.name }}/issues/)"
      R"({{ action.triggered_from.hook_parsed_variables.pull_request_id }}","request_headers":)"
      R"([{"name":"X-By","value":"{{ user.name }}"}],"request_body":{"body":"{{ action.status }}: )"
      R"({{ action.triggered_from.hook_parsed_variables.pull_request_title }}","fixed":")" +
      std::string(900, 'x') + R"("},"trigger_when":{"events":["action.status_changed"]}})";
  RINGPOST_ASSERT(!find("devopness")->read_settings(settings, webhook));
  return webhook;
}

void run(int rounds, uint64_t calls) {
  const std::string event = make_event();
  const std::string body = make_body();
  auto compiled = TemplateCompiler{roots}.body(body);
  RINGPOST_ASSERT(std::holds_alternative<Template>(compiled));
  const Template made = std::get<Template>(std::move(compiled));
  json::Document document;
  DocumentResolver values{document};
  const json::Path first = json::Path::constant(paths[0]);
  simdjson::dom::parser dom;
  const simdjson::padded_string padded{event};
  std::string out;
  std::string floor;
  document.assign(event);
  RINGPOST_ASSERT(made.fill(values, out).empty());
  const std::vector<std::string> pieces = pieces_of(out);
  std::array<std::vector<double>, 5> times;
  const subscription::Webhook hook = make_hook();
  const auto renderer = make_renderer(hook);
  journal::EventView view;
  view.data = as_bytes(event);
  view.data_checked = true;  // As ingest marks it.
  const AttemptFacts facts{.event = view, .delivery = hook.id};
  Request request;
  for (int round = 0; round < rounds; ++round) {
    times[0].push_back(measure(calls, [&] { return made.fill(values, out).empty(); }));
    times[1].push_back(measure(calls, [&] {
      floor.clear();
      for (const std::string& piece : pieces) floor.append(piece);
      return floor.size() == out.size();
    }));
    times[2].push_back(measure(calls, [&] {
      document.assign(event);
      return document.find(first).kind == json::Kind::string;
    }));
    times[3].push_back(measure(calls, [&] { return dom.parse(padded).error() == 0; }));
    times[4].push_back(measure(calls, [&] {
      request.clear();
      return !renderer->render(facts, request);
    }));
  }
  std::printf("fill %zu bytes, 5 expansions   %7.0f ns (limit %.0f)  bare appending %5.0f ns\n",
              out.size(), median(times[0]), fill_limit_ns, median(times[1]));
  std::printf("first look-up in %zu bytes     %7.0f ns               simdjson's DOM %5.0f ns\n",
              event.size(), median(times[2]), median(times[3]));
  std::printf("a hook's request, %zu bytes    %7.0f ns (limit %.0f)\n",
              request.head.size() + request.body.size(), median(times[4]), fill_limit_ns);
}

}  // namespace
}  // namespace ringpost::dialect::devopness

int main(int argument_count, char** arguments) {
  const bool smoke = argument_count > 1 && std::string_view{arguments[1]} == "--smoke";
  ringpost::dialect::devopness::run(smoke ? 1 : 15, smoke ? 100 : 20'000);
  return 0;
}
