// Goal: a client that writes back what it has read changes nothing, through whichever API, whatever
// the webhook is: also where the API's words say less than the webhook does. Method: webhooks of
// each dialect with members that the native API alone can set, and for each a GET and a write of
// the answer as it came; the native API then shows the same as before, and the same events match.

#include "base/prng.h"
#include "control_fixture.h"
#include "dialect/matcher.h"

#include <string>
#include <vector>

namespace ringpost::control {
namespace {

using testing::Json;

constexpr const char* pipeline = "018f6b1e-aaaa-4abc-8def-00000000000a";
constexpr const char* team = "018f6b1e-bbbb-4abc-8def-00000000000b";

class WriteBackTest : public testing::ControlTest {
 protected:
  /// @returns the id.
  std::string make(const std::string& members) {
    const auto response = ask("POST", "/v1/webhooks", "{" + members + "}");
    EXPECT_EQ(response.status, 201) << members << response.body;
    return Json(response.body).text("/id");
  }
  /// As the native API shows it, but for the time of the last write.
  std::string shown(const std::string& id) {
    std::string text = ask("GET", "/v1/webhooks/" + id).body;
    const size_t at = text.find("\"updated_at\"");
    EXPECT_NE(at, std::string::npos);
    return text.substr(0, at);
  }
  /// Which of many events go to whom.
  std::vector<std::string> matches() {
    dialect::Matcher matcher;
    std::vector<std::string> pairs;
    for (const char* source : {"app/a", "app/b", "pipeline/33", "pipeline/other", "agent/1"}) {
      for (const char* type :
           {"build/triggered", "build/finished", "pipeline/started", "build.finished",
            "job.finished", "agent.lost", "action.completed", "action.failed"}) {
        for (const char* data : events) {
          journal::EventView event;
          event.organization = "default";
          event.source = source;
          event.type = type;
          event.data = as_bytes(data);
          for (const uint32_t number : matcher.match(table_.current(), event, nullptr)) {
            pairs.push_back(std::string{source} + ' ' + type + ' ' + std::to_string(number));
          }
        }
      }
    }
    return pairs;
  }
  void write_back(const std::string& id, const std::string& read_path, const std::string& method,
                  const std::string& path) {
    const std::string before = shown(id);
    const auto matched_before = matches();
    clock_ += 120;  // Past the window in which an API counts calls.
    std::string read = ask("GET", read_path).body;
    // Lists are the only way to read at Bitrise: the item that is the webhook's.
    if (read.starts_with(R"({"data":)")) read = item_of(read, id);
    const auto written = ask(method, path, read);
    EXPECT_TRUE(written.status == 200 || written.status == 204)
        << written.status << written.body << read;
    EXPECT_EQ(shown(id), before) << read;
    EXPECT_EQ(matches(), matched_before) << read;
  }
  static std::string item_of(const std::string& list, const std::string& id) {
    simdjson::dom::parser parser;
    simdjson::dom::array items;
    EXPECT_FALSE(parser.parse(list).at_key("data").get(items));
    for (const simdjson::dom::element item : items) {
      std::string_view slug;
      if (!item["slug"].get(slug) && slug == id) return simdjson::minify(item);
    }
    ADD_FAILURE() << list;
    return {};
  }

  static constexpr const char* events[] = {
      R"({"git": {"src_branch": "main"}, "build": {"branch": "main"}})",
      R"({"git": {"src_branch": "old"}, "build": {"branch": "old"},
          "pipeline": {"id": "018f6b1e-aaaa-4abc-8def-00000000000a", "slug": "app"}})",
      R"({"action": {"id": 1, "status": "completed", "type": "deploy", "pipeline_id": 33}})",
      R"({"action": {"id": 2, "status": "failed", "type": "stop",
          "resource": {"type": "daemon", "id": 7}}})"};
};

const std::vector<std::string> filters{
    "", R"(, "filter": {"branches": "main"})",
    R"(, "filter": {"teams": ["018f6b1e-bbbb-4abc-8def-00000000000b"]})",
    R"(, "filter": {"clusters": ["018f6b1e-bbbb-4abc-8def-00000000000b"]})",
    R"(, "filter": {"branches": "!old", "teams": ["mobile"], "clusters": ["c"]})"};

TEST_F(WriteBackTest, ThroughBitrise) {
  for (const char* subscription :
       {R"("events": ["build/finished"])", R"("events": ["build/triggered", "build/finished"])",
        R"("events": ["build/*"])", R"("events": ["*"])", R"("events": ["pipeline/*"])",
        R"("events": ["pipeline/started", "build/finished"])",
        R"("settings": {"events": ["build", "pipeline"]})", R"("settings": {"events": ["all"]})"}) {
    for (const std::string& filter : filters) {
      const std::string id = make(
          R"("dialect": "bitrise", "url": "https://ci.example.org/in", "sources": ["app/a"],
             "headers": {"X-Team": "mobile", "Authorization": "Bearer x"}, "secret": "s",
             "description": "d", "schedule": [5], )" +
          std::string{subscription} + filter);
      const std::string list = "/v0.1/apps/a/outgoing-webhooks";
      for (const char* method : {"PUT", "PATCH"}) write_back(id, list, method, list + "/" + id);
      EXPECT_EQ(ask("DELETE", "/v1/webhooks/" + id).status, 204);
    }
  }
}

TEST_F(WriteBackTest, ThroughBuildkite) {
  const std::string by_project = R"("settings": {"scope": "some_projects", "scope_uuids": [")" +
                                 std::string{pipeline} + "\"]}";
  const std::string by_team =
      R"("settings": {"scope": "some_teams", "scope_uuids": [")" + std::string{team} + "\"]}";
  for (const std::string& scope : {std::string{R"("description": "")"}, by_project, by_team,
                                   std::string{R"("settings": {"scope": "some_projects"})"},
                                   std::string{R"("settings": {"scope": "some_clusters"})"},
                                   std::string{R"("sources": ["pipeline/app"])"},
                                   R"("sources": ["pipeline/)" + std::string{pipeline} + "\"]",
                                   std::string{R"("sources": ["pipeline/other", "agent/1"])"}}) {
    for (const char* types : {R"("events": ["*"])", R"("events": ["build.*"])",
                              R"("events": ["build.finished", "agent.lost"])"}) {
      for (const std::string& filter : filters) {
        const std::string id = make(
            R"("dialect": "buildkite", "url": "https://ci.example.org/in", "rate_per_second": 7, )" +
            scope + ", " + types + filter);
        const std::string path =
            "/v2/organizations/default/services/" + Ulid::parse(id)->to_uuid_text();
        write_back(id, path, "PATCH", path);
        EXPECT_EQ(ask("DELETE", "/v1/webhooks/" + id).status, 204);
      }
    }
  }
}

TEST_F(WriteBackTest, ThroughDevopness) {
  for (const char* subscription :
       {R"("settings": {"pipeline_id": 33})",
        R"("settings": {"pipeline_id": 33, "trigger_when": {"events": ["action.completed"]}})",
        R"("settings": {"resource_type": "daemon", "resource_id": 7,
            "trigger_when": {"events": ["action.status_changed"]}})",
        R"("sources": ["pipeline/33", "pipeline/34"],
           "settings": {"trigger_when": {"events": ["action.failed"], "conditions":
             [{"path": "action.id", "accepted_values": [2, "x", null, true]}]}})",
        R"("settings": {"trigger_when": {"events": ["action.failed"], "conditions": []},
            "request_headers": [{"name": "Authorization", "value": "Bearer x"},
                                {"name": "X-Id", "value": "{{ action.id }}"}],
            "request_body": {"n": 1.0, "big": 12345678901234567890, "t": "{{ daemon.name }}"}})",
        R"("events": ["action.completed"],
           "settings": {"request_body": "{{ action.status }}"})"}) {
    for (const std::string& filter : filters) {
      const std::string id =
          make(R"("dialect": "devopness", "url": "https://ci.example.org/in?x=1", )" +
               std::string{subscription} + filter);
      const std::string path = "/hooks/outgoing/" + Ulid::parse(id)->to_uuid_text();
      write_back(id, path, "PUT", path);
      EXPECT_EQ(ask("DELETE", "/v1/webhooks/" + id).status, 204);
    }
  }
  const std::string incoming = Json(ask("POST", "/pipelines/33/hooks/incoming",
                                        R"({"name": "n", "settings": {"variables": [
                                            {"name": "a", "type": "integer", "required": false,
                                             "default_value": 7}]}})")
                                        .body)
                                   .text("/id");
  write_back(Ulid::parse_uuid(incoming)->to_text(), "/hooks/incoming/" + incoming, "PUT",
             "/hooks/incoming/" + incoming);
}

/// Any one member that a client may set, as the native API shows it.
TEST_F(WriteBackTest, ThroughTheNativeApi) {
  const std::string id = make(
      R"("dialect": "buildkite", "url": "https://ci.example.org/in", "events": ["build.*"],
         "settings": {"scope": "some_projects"}, "filter": {"branches": "main"})");
  const std::string before = shown(id);
  simdjson::dom::parser parser;
  simdjson::dom::object members;
  const std::string text = ask("GET", "/v1/webhooks/" + id).body;
  ASSERT_FALSE(parser.parse(text).get(members));
  for (const char* name : {"description", "organization", "url", "sources", "events", "filter",
                           "headers", "tls", "schedule", "timeout_ms", "concurrency_max",
                           "rate_per_second", "ordering", "settings", "enabled"}) {
    const std::string body = "{\"" + std::string{name} +
                             "\":" + simdjson::minify(members.at_key(name).value_unsafe()) + "}";
    const auto written = ask("PATCH", "/v1/webhooks/" + id, body);
    EXPECT_EQ(written.status, 200) << body << written.body;
    EXPECT_EQ(shown(id), before) << body;
  }
}

}  // namespace
}  // namespace ringpost::control
