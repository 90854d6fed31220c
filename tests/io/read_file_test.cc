#include "io/read_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace ringpost::io {
namespace {

TEST(ReadFile, ReturnsEveryByte) {
  const std::string path = testing::TempDir() + "read_file_test";
  std::string bytes(40'000, 'x');  // More than one chunk.
  bytes[7] = '\0';
  bytes += "\r\nend";
  std::ofstream{path, std::ios::binary} << bytes;
  EXPECT_EQ(read_file(path), bytes);
  std::ofstream{path, std::ios::binary | std::ios::trunc};
  EXPECT_EQ(read_file(path), "");
  std::filesystem::remove(path);
}

TEST(ReadFile, ReturnsNothingForWhatCannotBeRead) {
  EXPECT_EQ(read_file(testing::TempDir() + "absent/file"), std::nullopt);
  EXPECT_EQ(read_file(testing::TempDir()), std::nullopt);
  EXPECT_EQ(read_file(""), std::nullopt);
}

}  // namespace
}  // namespace ringpost::io
