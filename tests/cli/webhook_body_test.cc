#include "cli/webhook_body.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace ringpost::cli {
namespace {

std::string made(const WebhookOptions& options, bool creates = true) {
  const auto body = webhook_body(options, creates);
  const auto* problem = std::get_if<UsageProblem>(&body);
  return problem != nullptr ? "problem: " + problem->text : std::get<std::string>(body);
}

/// A file of this process, removed at the end.
class File {
 public:
  explicit File(const std::string& content) : name_(testing::TempDir() + "cli_test_file") {
    std::ofstream(name_, std::ios::binary) << content;
  }
  ~File() { std::remove(name_.c_str()); }
  const std::string& name() const { return name_; }

 private:
  const std::string name_;
};

class WebhookBody : public testing::Test {
 protected:
  void SetUp() override { unsetenv("RINGPOST_SECRET"); }
  void TearDown() override { unsetenv("RINGPOST_SECRET"); }

  WebhookOptions options_;
};

TEST_F(WebhookBody, SaysOnlyWhatWasGiven) {
  EXPECT_EQ(made(options_), "{}");
  EXPECT_EQ(made(options_, false), "{}");
}

TEST_F(WebhookBody, SaysAllThatTheApiTakes) {
  options_.url = "https://h/";
  options_.dialect = "standard";
  options_.description = "d";
  options_.organization = "o";
  options_.sources = {"*"};
  options_.apps = {"c0ffee"};
  options_.pipelines = {"7", "slug"};
  options_.resources = {"application/44"};
  options_.events = {"build/*"};
  options_.branches = "main release/*";
  options_.teams = {"a"};
  options_.clusters = {"b", "c"};
  options_.where = {"build.status=failed"};
  options_.headers = {"X-A:  one: two ", "X-B:x"};
  options_.no_verify = true;
  options_.schedule = {"5s", "2m"};
  options_.timeout = "1500ms";
  options_.concurrency = 3;
  options_.rate = 4;
  options_.settings = {"word=structured", "number=7", "list=[ 1, \"x\"]", "text=\"7\"", "empty="};
  EXPECT_EQ(
      made(options_),
      R"({"dialect":"standard","url":"https://h/","description":"d","organization":"o",)"
      R"("sources":["*","app/c0ffee","pipeline/7","pipeline/slug","resource/application/44"],)"
      R"("events":["build/*"],)"
      R"("filter":{"branches":"main release/*","teams":["a"],"clusters":["b","c"],)"
      R"("data":{"path":"build.status","equals":"failed"}},)"
      R"("headers":{"X-A":"one: two","X-B":"x"},"tls":{"verify":false},"schedule":[5,120],)"
      R"("timeout_ms":1500,"concurrency_max":3,"rate_per_second":4,)"
      R"("settings":{"word":"structured","number":7,"list":[1,"x"],"text":"7","empty":""}})");
}

TEST_F(WebhookBody, AnUpdateTakesHeadersAwayAndBringsDefaultsBack) {
  options_.headers = {"X-Gone:"};
  options_.branches = "";
  options_.reset = {"schedule", "tls"};
  EXPECT_EQ(made(options_, false),
            R"({"filter":{"branches":""},"headers":{"X-Gone":null},"schedule":null,"tls":null})");
  options_ = {};
  options_.headers = {"X-Gone:"};
  EXPECT_EQ(made(options_), R"({"headers":{"X-Gone":""}})");
}

TEST_F(WebhookBody, NoRetriesIsAnEmptySchedule) {
  options_.no_retries = true;
  EXPECT_EQ(made(options_), R"({"schedule":[]})");
}

TEST_F(WebhookBody, ASecretComesFromAFileOrTheEnvironmentAndNeverFromArguments) {
  options_.secret = "hidden words";
  const std::string said = made(options_);
  EXPECT_TRUE(said.starts_with("problem: --secret takes @FILE, or - for standard input")) << said;
  EXPECT_EQ(said.find("hidden"), std::string::npos) << said;
  EXPECT_NE(said.find("RINGPOST_SECRET"), std::string::npos) << said;

  const File file("from file\r\n");
  options_.secret = "@" + file.name();
  EXPECT_EQ(made(options_), R"({"secret":"from file"})");
  setenv("RINGPOST_SECRET", "from environment", 1);
  EXPECT_EQ(made(options_), R"({"secret":"from file"})");
  options_.secret.clear();
  EXPECT_EQ(made(options_), R"({"secret":"from environment"})");
  EXPECT_EQ(made(options_, false), "{}");  // An update changes what is asked for only.
}

TEST_F(WebhookBody, AnEmptyOrMissingFileIsNoSecret) {
  const File file("\n");
  options_.secret = "@" + file.name();
  EXPECT_EQ(made(options_), "problem: --secret @" + file.name() + " is empty");
  options_.secret = "@/nowhere/\x1b";
  EXPECT_EQ(made(options_), "problem: --secret: /nowhere/\\x1b cannot be read: not found (ENOENT)");
}

TEST_F(WebhookBody, ReadsHeadersAndSettingsFromFiles) {
  const File file("X-A: 1\r\n\nX-B: 2\n");
  options_.headers = {"@" + file.name()};
  options_.settings = {"body=@" + file.name()};
  EXPECT_EQ(made(options_),
            R"({"headers":{"X-A":"1","X-B":"2"},"settings":{"body":"X-A: 1\r\n\nX-B: 2\n"}})");
}

TEST_F(WebhookBody, KeepsTheNumbersOfASetting) {
  options_.settings = {R"(a={"n": 1e400})", "b=12345678901234567890123", "c=1e", "d=0.10"};
  EXPECT_EQ(made(options_),
            R"({"settings":{"a":{"n":1e400},"b":12345678901234567890123,"c":"1e","d":0.10}})");
}

TEST_F(WebhookBody, NamesTheLineOfAWrongHeader) {
  const File file("X-A: 1\nnothing\n");
  options_.headers = {"@" + file.name()};
  EXPECT_EQ(made(options_),
            "problem: " + file.name() + ", line 2: \"nothing\" must have the form 'Name: value'");
}

TEST_F(WebhookBody, SaysWhatIsWrongWithAnOption) {
  const auto problem = [](auto change) {
    WebhookOptions options;
    change(options);
    return made(options);
  };
  EXPECT_EQ(problem([](auto& o) { o.headers = {"nocolon"}; }),
            "problem: --header \"nocolon\" must have the form 'Name: value'");
  EXPECT_EQ(problem([](auto& o) { o.settings = {"=x"}; }),
            "problem: --setting \"=x\" must have the form key=value");
  EXPECT_EQ(problem([](auto& o) { o.resources = {"44"}; }),
            "problem: --resource \"44\" must have the form TYPE/ID, as in application/44");
  EXPECT_EQ(
      problem([](auto& o) {
        o.schedule = {"1s", "soon"};
      }),
      "problem: --schedule \"soon\" must be a whole number of seconds with its unit (s, m, h or "
      "d), as in 90s or 12h");
  EXPECT_TRUE(problem([](auto& o) { o.schedule = {"90"}; }).starts_with("problem: --schedule"));
  EXPECT_TRUE(problem([](auto& o) { o.schedule = {"1ms"}; }).starts_with("problem: --schedule"));
  EXPECT_EQ(
      problem([](auto& o) { o.timeout = "x"; }),
      "problem: --timeout \"x\" must be a number with a unit (ms, s, m, h or d), as in 500ms, "
      "90s or 12h");
}

TEST(RotationBody, SaysOnlyWhatWasGiven) {
  EXPECT_EQ(std::get<std::string>(rotation_body({})), "");
  EXPECT_EQ(std::get<std::string>(rotation_body({.secret = "", .overlap = "24h"})),
            R"({"overlap_s":86400})");
  const File file("new");
  EXPECT_EQ(std::get<std::string>(rotation_body({.secret = "@" + file.name(), .overlap = "0"})),
            R"({"secret":"new","overlap_s":0})");
  EXPECT_TRUE(std::holds_alternative<UsageProblem>(rotation_body({.secret = "x", .overlap = ""})));
  EXPECT_TRUE(std::holds_alternative<UsageProblem>(rotation_body({.secret = "", .overlap = "?"})));
}

TEST(OptionOfMember, KnowsWholeMembersAndTheirParts) {
  EXPECT_EQ(option_of_member("filter.branches"), "--branches");
  EXPECT_EQ(option_of_member("sources[3]"), "--source");
  EXPECT_EQ(option_of_member("headers.X-A"), "--header");
  EXPECT_EQ(option_of_member("settings.mode"), "--setting");
  EXPECT_EQ(option_of_member("urls"), "");
  EXPECT_EQ(option_of_member("filter"), "");
  EXPECT_EQ(option_of_member(""), "");
}

}  // namespace
}  // namespace ringpost::cli
