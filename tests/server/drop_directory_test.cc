// Goal: of a drop directory every file's events are offered until the relay has them, whatever lies
// beside them and whenever the process ends, and what is no event stays, with the reason.
// Method: real directories, and a relay that the test plays.

#include "server/drop_directory.h"

#include "base/log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <memory>
#include <poll.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace ringpost::server {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

std::string text_of(const fs::path& path) {
  std::ifstream file{path};
  return {std::istreambuf_iterator<char>{file}, {}};
}

std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) {
    names.push_back(entry.path().filename());
  }
  std::ranges::sort(names);
  return names;
}

const std::string event = R"({"type":"t","source":"s"})";

class DropDirectoryTest : public testing::Test {
 protected:
  DropDirectoryTest() {
    fs::remove_all(path_);
    start();
    turn();
  }
  ~DropDirectoryTest() override { fs::remove_all(path_); }

  void start() {
    directory_.reset();
    offers_.clear();
    directory_ = std::make_unique<DropDirectory>(
        7, SourceConfig{.directory = path_, .organization = "acme"},
        DropDirectory::Parts{
            .offer = [this](shard::FileOffered&& file) { offers_.push_back(std::move(file)); },
            .file_bytes_max = [] { return uint64_t{1000}; }});
  }
  void turn() { directory_->turn(now_); }
  void put(const std::string& name, const std::string& text) {
    std::ofstream{path_ / "written"} << text;
    fs::rename(path_ / "written", path_ / "new" / name);
  }
  void settle(size_t index, uint16_t status, std::vector<http::Header> headers = {},
              std::string body = {}) {
    directory_->on_settled(
        {.directory = 7,
         .ticket = offers_.at(index).ticket,
         .response = {.status = status, .headers = std::move(headers), .body = std::move(body)}},
        now_);
  }
  /// Why the file was set aside.
  std::string reason(const std::string& name) {
    EXPECT_TRUE(fs::exists(fs::symlink_status(path_ / "bad" / name))) << name;
    return text_of(path_ / "bad" / (name + ".reason"));
  }
  void expect_reason(const std::string& name, std::string_view part) {
    EXPECT_NE(reason(name).find(part), std::string::npos) << reason(name);
  }

  const fs::path path_ = fs::path{testing::TempDir()} / "drop_directory_test";
  Instant now_{seconds{1000}};
  std::vector<shard::FileOffered> offers_;
  std::unique_ptr<DropDirectory> directory_;
};

TEST_F(DropDirectoryTest, MakesWhatIsMissing) {
  EXPECT_EQ(names_in(path_), (std::vector<std::string>{"bad", "cur", "new"}));
}

TEST_F(DropDirectoryTest, KeepsAFileUntilItsEventsAreDurable) {
  put("one.json", event);
  turn();
  ASSERT_EQ(offers_.size(), 1u);
  EXPECT_EQ(offers_[0].organization, "acme");
  EXPECT_EQ(offers_[0].directory, 7u);
  EXPECT_EQ(offers_[0].request->body, event);
  EXPECT_EQ(offers_[0].request->header("content-type"), "application/json");
  EXPECT_EQ(names_in(path_ / "cur"), std::vector<std::string>{"one.json"});
  settle(0, 202);
  EXPECT_TRUE(names_in(path_ / "cur").empty());
  EXPECT_TRUE(names_in(path_ / "bad").empty());
}

TEST_F(DropDirectoryTest, OffersWhatACrashLeftWithTheSameIdAgain) {
  put("one.json", event);
  put("two.json", event);
  turn();
  ASSERT_EQ(offers_.size(), 2u);
  const std::string id = offers_[0].id;
  EXPECT_NE(offers_[1].id, id);
  settle(1, 202);
  start();
  turn();
  ASSERT_EQ(offers_.size(), 1u);
  EXPECT_EQ(offers_[0].id, id);
}

TEST_F(DropDirectoryTest, TellsFilesWithOneNameApart) {
  put("build.json", event);
  turn();
  settle(0, 202);
  put("build.json", event);
  fs::last_write_time(path_ / "new" / "build.json", fs::file_time_type::clock::now() + seconds{5});
  turn();
  ASSERT_EQ(offers_.size(), 2u);
  EXPECT_NE(offers_[0].id, offers_[1].id);
}

TEST_F(DropDirectoryTest, LeavesANameThatIsUnderWayUntilItHasEnded) {
  put("build.json", event);
  turn();
  put("build.json", event + " ");
  turn();
  ASSERT_EQ(offers_.size(), 1u);
  settle(0, 202);
  turn();
  ASSERT_EQ(offers_.size(), 2u);
  EXPECT_EQ(offers_[1].request->body, event + " ");
}

TEST_F(DropDirectoryTest, WaitsWhileTheRelayRefuses) {
  put("one.json", event);
  turn();
  settle(0, 503, {{"Retry-After", "5"}});
  turn();
  EXPECT_EQ(offers_.size(), 1u);
  EXPECT_EQ(directory_->due(), now_ + seconds{5});
  now_ += seconds{5};
  turn();
  ASSERT_EQ(offers_.size(), 2u);
  EXPECT_EQ(offers_[1].id, offers_[0].id);
  settle(1, 0);  // Nobody knows: it is asked again, and may be a duplicate.
  EXPECT_GT(*directory_->due(), now_);
  now_ += seconds{60};
  turn();
  ASSERT_EQ(offers_.size(), 3u);
  settle(2, 202);
  EXPECT_TRUE(names_in(path_ / "cur").empty());
}

TEST_F(DropDirectoryTest, OffersNoMoreThanABatchAtATime) {
  for (int count = 0; count < 5; ++count) {
    put(std::to_string(count), event + std::string(400, ' '));
  }
  turn();
  EXPECT_EQ(offers_.size(), 3u);
  settle(0, 202);
  turn();
  EXPECT_EQ(offers_.size(), 4u);
}

TEST_F(DropDirectoryTest, OffersManyFilesAFewAtATime) {
  for (int count = 0; count < 100; ++count) put(std::to_string(1000 - count), "{}");
  turn();
  EXPECT_EQ(offers_.size(), DropDirectory::files_offered_max);
  for (size_t index = 0; index < 100; ++index) {
    ASSERT_LT(index, offers_.size());
    settle(index, 202);
    turn();
  }
  EXPECT_TRUE(names_in(path_ / "cur").empty());
  EXPECT_TRUE(names_in(path_ / "new").empty());
}

TEST_F(DropDirectoryTest, SetsAsideWhatTheRelayDoesNotAccept) {
  put("one.json", "{}");
  turn();
  settle(0, 422, {}, R"({"status":422,"detail":"`type` is missing."})");
  EXPECT_EQ(reason("one.json"), "{\"status\":422,\"detail\":\"`type` is missing.\"}\n");
  EXPECT_EQ(text_of(path_ / "bad" / "one.json"), "{}");
  EXPECT_TRUE(names_in(path_ / "cur").empty());
}

TEST_F(DropDirectoryTest, KeepsEachOfTwoBadFilesWithOneName) {
  for (const char* text : {"first", "second"}) {
    put("one.json", text);
    turn();
    settle(offers_.size() - 1, 400);
  }
  EXPECT_EQ(names_in(path_ / "bad").size(), 4u);
  EXPECT_EQ(text_of(path_ / "bad" / "one.json"), "first");
}

TEST_F(DropDirectoryTest, WritesNoReasonOverABadFile) {
  for (const char* name : {"job.reason", "job"}) {
    put(name, "as it came");
    turn();
    settle(offers_.size() - 1, 400);
  }
  EXPECT_EQ(names_in(path_ / "bad").size(), 4u);
  EXPECT_EQ(text_of(path_ / "bad" / "job.reason"), "as it came");
}

TEST_F(DropDirectoryTest, SetsAsideWhatCannotBeRead) {
  put("empty", "");
  put("blank", " \n\n");
  put("large", std::string(1001, '1'));
  std::ofstream{path_ / "secret"} << event;
  fs::create_symlink(path_ / "secret", path_ / "new" / "link");
  ASSERT_EQ(mkfifo((path_ / "new" / "pipe").c_str(), 0600), 0);
  turn();
  directory_->turn(now_ += seconds{61});  // What came without a rename is found now and then.
  EXPECT_TRUE(offers_.empty());
  expect_reason("empty", "is empty");
  expect_reason("blank", "is empty");
  expect_reason("large", "larger than ingest.batch_bytes_max, which is 1000 bytes");
  expect_reason("link", "symbolic link");
  expect_reason("pipe", "not an ordinary file");
  EXPECT_EQ(text_of(path_ / "secret"), event);
}

std::vector<std::string> log_lines;

/// As somebody who may not do everything: root becomes another user for a while.
class AsUser {
 public:
  explicit AsUser(const fs::path& place) {
    log_lines.clear();
    set_log_sink([](LogLevel, std::string_view text) { log_lines.emplace_back(text); });
    if (geteuid() != 0) return;
    for (const char* part : {"", "new", "cur", "bad"}) {
      EXPECT_EQ(chown((place / part).c_str(), nobody, nobody), 0);
    }
    EXPECT_EQ(seteuid(nobody), 0);
  }
  AsUser(const AsUser&) = delete;
  AsUser& operator=(const AsUser&) = delete;
  ~AsUser() {
    set_log_sink(nullptr);
    EXPECT_EQ(seteuid(getuid()), 0);
  }

 private:
  static constexpr uid_t nobody = 65534;
};

TEST_F(DropDirectoryTest, SetsAsideAFileThatItMayNotOpen) {
  put("one.json", event);
  fs::permissions(path_ / "new" / "one.json", fs::perms::none);
  const AsUser user{path_};
  turn();
  EXPECT_TRUE(offers_.empty());
  expect_reason("one.json", "cannot open the file: Permission denied");
}

TEST_F(DropDirectoryTest, TakesNothingThatItMayNotRemoveAndSaysSoOnce) {
  put("one.json", event);
  const AsUser user{path_};
  fs::permissions(path_ / "new", fs::perms::owner_read | fs::perms::owner_exec);
  const auto troubles = [] {
    return std::ranges::count_if(log_lines, [](const std::string& line) {
      return line.find("drop directory") != std::string::npos;
    });
  };
  for (int time = 0; time < 3; ++time) {
    turn();
    directory_->turn(now_ += seconds{61});
  }
  EXPECT_TRUE(offers_.empty());
  EXPECT_EQ(troubles(), 1) << "a directory that lost its permissions";
  start();
  for (int time = 0; time < 3; ++time) directory_->turn(now_ += seconds{10});
  EXPECT_TRUE(offers_.empty());
  EXPECT_EQ(troubles(), 2) << "one that never had them";
  fs::permissions(path_ / "new", fs::perms::owner_all);
  directory_->turn(now_ += seconds{10});
  EXPECT_EQ(offers_.size(), 1u);
}

TEST_F(DropDirectoryTest, LeavesNamesWithADotAndDirectoriesAlone) {
  put(".hidden", event);
  fs::create_directory(path_ / "new" / "folder");
  turn();
  EXPECT_TRUE(offers_.empty());
  EXPECT_EQ(names_in(path_ / "new"), (std::vector<std::string>{".hidden", "folder"}));
}

TEST_F(DropDirectoryTest, TakesNamesOfAnyKind) {
  const std::string longest(255, 'n');
  put(longest, "{}");
  put("a\nb \xff", "{}");
  turn();
  ASSERT_EQ(offers_.size(), 2u);
  settle(0, 422, {}, "no");
  settle(1, 422, {}, "no");
  const auto names = names_in(path_ / "bad");
  ASSERT_EQ(names.size(), 4u);
  EXPECT_EQ(text_of(path_ / "bad" / "a\nb \xff.reason"), "no\n");
}

TEST_F(DropDirectoryTest, IsOneRelaysAlone) {
  std::vector<shard::FileOffered> offers;
  DropDirectory second(
      0, {.directory = path_, .organization = "acme"},
      {.offer = [&](shard::FileOffered&& file) { offers.push_back(std::move(file)); },
       .file_bytes_max = [] { return uint64_t{1000}; }});
  put("one.json", event);
  second.turn(now_);
  EXPECT_TRUE(offers.empty());
  turn();
  EXPECT_EQ(offers_.size(), 1u);
  directory_.reset();
  second.turn(now_ + seconds{10});
  EXPECT_EQ(offers.size(), 1u);
}

TEST_F(DropDirectoryTest, ComesBackWhenTheDirectoryWasAway) {
  fs::rename(path_, path_.string() + ".away");
  fs::remove_all(path_.string() + ".away");
  turn();
  now_ += seconds{10};
  turn();
  put("one.json", event);
  turn();
  EXPECT_EQ(offers_.size(), 1u);
}

TEST(DropDirectory, TellsWhatAFileHasByItsContent) {
  const std::pair<std::string, std::string_view> cases[] = {
      {event, "application/json"},
      {"\n  {\n\"type\":\"t\"\n}\n", "application/json"},
      {event + "\n", "application/json"},
      {event + "\n" + event, "application/x-ndjson"},
      {"\n" + event + "\nnothing", "application/x-ndjson"},
      {"{broken\n", "application/json"},
      {"{broken\n" + event, "application/json"},
      {"nothing", "application/json"},
      {"[]", "application/cloudevents-batch+json"},
      {" [\n{}]", "application/cloudevents-batch+json"},
      {R"({"specversion":"1.0","id":"1"})", "application/cloudevents+json"},
      {"{\n\"id\":\"1\",\n\"specversion\":\"1.0\"}", "application/cloudevents+json"},
      {R"({"data":{"specversion":"1.0"}})", "application/json"},
  };
  for (const auto& [text, type] : cases) EXPECT_EQ(content_type_of(text), type) << text;
}

/// As `cp -p` makes them, from one that is kept.
TEST_F(DropDirectoryTest, KnowsTwoFilesOfOneNameAndTimeApart) {
  struct statx facts {};
  const bool has_births = statx(AT_FDCWD, path_.c_str(), 0, STATX_BTIME, &facts) == 0 &&
                          (facts.stx_mask & STATX_BTIME) != 0;
  if (!has_births) GTEST_SKIP() << "this file system does not keep when files came into being";
  const auto time = fs::file_time_type::clock::now();
  for (size_t count = 1; count <= 2; ++count) {
    std::ofstream{path_ / "written"} << event;
    fs::last_write_time(path_ / "written", time);
    fs::rename(path_ / "written", path_ / "new" / "job");
    turn();
    ASSERT_EQ(offers_.size(), count);
    settle(count - 1, 202);
  }
  EXPECT_NE(offers_[0].id, offers_[1].id);
}

/// At once, and not when it is looked at the next time.
TEST_F(DropDirectoryTest, NoticesThatItWasMadeAgain) {
  const auto has_news = [this] {
    pollfd waiting{.fd = directory_->descriptor(), .events = POLLIN};
    return poll(&waiting, 1, 1000) == 1;
  };
  for (const bool moved : {false, true}) {
    turn();
    if (moved) {
      fs::rename(path_, path_.string() + ".old");
    } else {
      fs::remove_all(path_);
    }
    fs::create_directories(path_ / "new");
    ASSERT_TRUE(has_news());
    turn();
    turn();
    const size_t before = offers_.size();
    put("job" + std::to_string(moved), event);
    ASSERT_TRUE(has_news());
    turn();
    ASSERT_EQ(offers_.size(), before + 1);
    settle(before, 202);
  }
  fs::remove_all(path_.string() + ".old");
}

}  // namespace
}  // namespace ringpost::server
