#include "io/read_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sys/stat.h>

namespace ringpost::io {
namespace {

TEST(ReadFile, ReturnsEveryByte) {
  const std::string path = testing::TempDir() + "read_file_test";
  std::string bytes(40'000, 'x');  // More than one chunk.
  bytes[7] = '\0';
  bytes += "\r\nend";
  std::ofstream{path, std::ios::binary} << bytes;
  EXPECT_EQ(*read_file(path), bytes);
  std::ofstream{path, std::ios::binary | std::ios::trunc};
  EXPECT_EQ(*read_file(path), "");
  std::filesystem::remove(path);
}

TEST(ReadFile, EndsWhereNoFileOfAPersonIsSoLarge) {
  const std::string path = testing::TempDir() + "read_file_test";
  std::ofstream{path, std::ios::binary} << "12345";
  EXPECT_EQ(*read_file(path, 5), "12345");
  EXPECT_EQ(read_file(path, 4).error(), (Error{Errc::too_large, Side::operator_}));
  std::filesystem::remove(path);
  EXPECT_EQ(read_file("/dev/zero", 1'000'000).error(), (Error{Errc::too_large, Side::operator_}));
}

TEST(ReadFile, SaysWhyAFileCannotBeRead) {
  const auto why = [](const std::string& path) { return describe(read_file(path).error()); };
  EXPECT_EQ(why(testing::TempDir() + "absent/file"), "not found (ENOENT)");
  EXPECT_EQ(why(testing::TempDir()), "it is a directory (EISDIR)");
  EXPECT_EQ(why(""), "not found (ENOENT)");
}

TEST(ReadRegularFile, ReadsFilesAndWaitsForNoPipe) {
  const std::string path = testing::TempDir() + "read_regular_file_test";
  std::filesystem::remove(path);
  std::ofstream{path} << "text";
  EXPECT_EQ(*read_regular_file(path), "text");
  EXPECT_EQ(read_regular_file(path, 3).error().code, Errc::too_large);
  std::filesystem::remove(path);
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(read_regular_file(path).error(), (Error{Errc::unsupported, Side::operator_}));
  std::filesystem::remove(path);
  EXPECT_EQ(read_regular_file("/dev/zero").error().code, Errc::unsupported);
  EXPECT_EQ(describe(read_regular_file(path).error()), "not found (ENOENT)");
  EXPECT_EQ(describe(read_regular_file(testing::TempDir()).error()), "it is a directory (EISDIR)");
}

}  // namespace
}  // namespace ringpost::io
