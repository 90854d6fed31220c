#include "http/gzip.h"

#include "http/content_coding.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace ringpost::http {
namespace {

using namespace std::string_literals;

/// Unpacks in steps of `step` bytes; nothing: it is malformed.
std::optional<std::string> unpack(std::string_view packed, size_t step = 1000) {
  GzipReader reader;
  std::string out;
  while (true) {
    const size_t before = out.size();
    const auto progress = reader.read(packed, out, step);
    EXPECT_LE(out.size() - before, step);
    if (progress == GzipReader::Progress::complete) return out;
    if (progress == GzipReader::Progress::malformed) return std::nullopt;
  }
}

/// `printf 'hello, gzip' | gzip -n` of GNU gzip.
const std::string hello =
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\xd7\x51\x48\xaf\xca\x2c\x00\x00"
    "\x4a\x9b\xb1\x5c\x0b\x00\x00\x00"s;

TEST(Gzip, ReadsWhatOthersPacked) {
  EXPECT_EQ(unpack(hello), "hello, gzip");
  EXPECT_EQ(unpack(hello, 1), "hello, gzip");
}

TEST(Gzip, ReadsWhatItPacked) {
  for (const size_t size : {0, 1, 999, 1000, 1001, 300'000}) {
    std::string text;
    for (size_t at = 0; at < size; ++at) text += static_cast<char>(at * at % 251);
    EXPECT_EQ(unpack(gzip(text)), text) << size;
  }
  EXPECT_LT(gzip(std::string(100'000, 'a')).size(), 1000u);
}

TEST(Gzip, ReadsSeveralMembers) {
  EXPECT_EQ(unpack(hello + gzip("") + hello), "hello, gziphello, gzip");
}

/// Some bits say nothing about the text: those of the header's time, or behind the last block.
TEST(Gzip, RefusesEveryCutAndReadsNothingElseFromAFlippedBit) {
  const std::string text = "a body of some length, and then some";
  const std::string packed = gzip(text);
  for (size_t size = 0; size < packed.size(); ++size) {
    EXPECT_FALSE(unpack(packed.substr(0, size))) << size;
    EXPECT_FALSE(unpack(packed.substr(0, size), 1)) << size;
  }
  size_t refused = 0;
  for (size_t bit = 0; bit < packed.size() * 8; ++bit) {
    std::string damaged = packed;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    EXPECT_EQ(unpack(damaged).value_or(text), text) << bit;
    refused += unpack(damaged) ? 0 : 1;
  }
  EXPECT_GT(refused, packed.size() * 6);
}

TEST(Gzip, RefusesWhatIsNone) {
  EXPECT_FALSE(unpack(""));
  EXPECT_FALSE(unpack("{}"));
  EXPECT_FALSE(unpack(hello + "{}"));
  EXPECT_FALSE(unpack("\x78\x9c\x03\x00\x00\x00\x00\x01"s)) << "zlib's own form";
}

TEST(Gzip, TakesStepsOfBoundedSizeThroughABomb) {
  const std::string packed = gzip(std::string(20'000'000, 'a'));
  std::string_view input = packed;
  GzipReader reader;
  std::string out;
  EXPECT_EQ(reader.read(input, out, 1000), GzipReader::Progress::more);
  EXPECT_EQ(out.size(), 1000u);
}

TEST(ContentCoding, IsReadFromAllHeaders) {
  const auto coding = [](std::vector<std::string> values) {
    Request request;
    for (std::string& value : values) {
      request.headers.push_back({"content-ENCODING", std::move(value)});
    }
    return content_coding(request);
  };
  EXPECT_EQ(coding({}), ContentCoding::identity);
  EXPECT_EQ(coding({""}), ContentCoding::identity);
  EXPECT_EQ(coding({"Identity", "identity, "}), ContentCoding::identity);
  EXPECT_EQ(coding({"gzip"}), ContentCoding::gzip);
  EXPECT_EQ(coding({"identity, X-GZIP"}), ContentCoding::gzip);
  EXPECT_EQ(coding({"gzip, gzip"}), ContentCoding::other);
  EXPECT_EQ(coding({"gzip", "br"}), ContentCoding::other);
  EXPECT_EQ(coding({"br", "gzip"}), ContentCoding::other);
  EXPECT_EQ(coding({"gzipped"}), ContentCoding::other);
}

}  // namespace
}  // namespace ringpost::http
