// Goal: events that are kept for later are whole when a relay sees them, and can be sent twice.

#include "cli/spool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace ringpost::cli {
namespace {

namespace fs = std::filesystem;

TEST(Spool, KeepsEachBatchInAFileThatSortsBehindTheLast) {
  const fs::path path = fs::path{testing::TempDir()} / "spool_test";
  fs::remove_all(path);
  Spool spool{path};
  for (int batch = 0; batch < 12; ++batch) EXPECT_EQ(spool.keep(std::to_string(batch)), "");
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(path / "new")) files.push_back(entry.path());
  std::ranges::sort(files);
  ASSERT_EQ(files.size(), 12u);
  for (size_t batch = 0; batch < files.size(); ++batch) {
    EXPECT_NE(files[batch].filename().string().front(), '.');
    std::string text;
    std::ifstream{files[batch]} >> text;
    EXPECT_EQ(text, std::to_string(batch));
  }
  fs::remove_all(path);
}

TEST(Spool, SaysWhyItCannotKeep) {
  EXPECT_EQ(Spool{"/nowhere/spool"}.keep("x"),
            "/nowhere/spool/new cannot be written: No such file or directory");
  EXPECT_EQ(Spool{"/dev/null"}.keep("x"), "/dev/null/new cannot be written: Not a directory");
}

TEST(Spool, GivesAnIdWhereThereIsNone) {
  const std::string made = with_id(R"({"type":"t","source":"s","data":{"id":1.0}})");
  EXPECT_EQ(made.substr(0, 7), R"({"id":")");
  EXPECT_EQ(made.substr(7 + 32), R"(","type":"t","source":"s","data":{"id":1.0}})");
  EXPECT_NE(with_id(R"({"type":"t"})"), with_id(R"({"type":"t"})"));
  for (const std::string same :
       {R"({"id":"mine","type":"t"})", R"({"type":"t", "id":"mine"})", "{}", "[1]", "{broken", "",
        "\n", R"({"context":{"id":"1"},"subject":{}})"}) {
    EXPECT_EQ(with_id(same), same);
  }
  const std::string lines =
      with_ids("{\"type\":\"t\"}\n\n{\"id\":\"e\",\"type\":\"t\"}\n{\"type\":\"u\"}");
  EXPECT_EQ(std::ranges::count(lines, '\n'), 3);
  EXPECT_NE(lines.find("{\"id\":\"e\",\"type\":\"t\"}\n"), std::string::npos);
  EXPECT_TRUE(lines.ends_with(R"(","type":"u"})"));
}

TEST(Spool, KnowsWhatCanBeNoEvent) {
  EXPECT_EQ(object_to_event(R"({"type":"t","source":"s"})"), "");
  EXPECT_EQ(object_to_event(R"({"specversion":"1.0","type":"t","source":"s","id":"1"})"), "");
  EXPECT_EQ(object_to_event(R"({"context":{"id":"1"},"subject":{}})"), "");
  EXPECT_EQ(object_to_event(R"(["t"])"), "is not a JSON object");
  EXPECT_EQ(object_to_event(R"({"source":"s"})"), "has no \"type\"");
  EXPECT_EQ(object_to_event(R"({"type":"t","source":7})"), "has no \"source\"");
  EXPECT_TRUE(object_to_event("rubbish").starts_with("is not JSON: "))
      << object_to_event("rubbish");
}

}  // namespace
}  // namespace ringpost::cli
