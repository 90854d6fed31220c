// Goal: src/replica/README.md describes the bytes that we write. Method: each worked example there
// is a heading and lines `0000  52 50 …`; the same blocks are made here and compared.

#include "replica/record.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace ringpost::replica {
namespace {

constexpr uint64_t cluster = 0x1122334455667788;
constexpr Writer writer{3, 42};
constexpr ClaimName claim{5, 1000};

/// By the name in the line `Example NAME:` above them.
std::map<std::string, std::vector<std::byte>> examples_of_readme() {
  const char* root = std::getenv("RINGPOST_SOURCE_ROOT");
  std::ifstream readme(std::string(root != nullptr ? root : ".") + "/src/replica/README.md");
  std::map<std::string, std::vector<std::byte>> examples;
  std::string name;
  for (std::string line; std::getline(readme, line);) {
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (word == "Example") std::getline(words >> std::ws, name, ':');
    if (word.size() != 4 || word.find_first_not_of("0123456789abcdef") != std::string::npos)
      continue;
    for (int index = 0; index < 16 && words >> word && word.size() == 2; ++index) {
      examples[name].push_back(std::byte(std::stoul(word, nullptr, 16)));
    }
  }
  return examples;
}

template <typename Record>
std::vector<std::byte> block_with(RecordType type, const Record& record, uint64_t sequence) {
  BlockBuilder builder;
  builder.add(type, encode(record));
  return builder.seal(writer, cluster, sequence);
}

std::string hex(const std::vector<std::byte>& bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (size_t at = 0; at < bytes.size(); ++at) {
    if (at % 16 == 0) {
      text += "\n    ";
      for (const int shift : {12, 8, 4, 0}) text += digits[at >> shift & 15];
      text += " ";
    }
    text += ' ';
    text += digits[std::to_integer<size_t>(bytes[at]) >> 4];
    text += digits[std::to_integer<size_t>(bytes[at]) & 15];
  }
  return text;
}

TEST(Readme, WorkedExamplesAreWhatWeWrite) {
  const PendingDelivery pending{.event = {1007, 2},
                                .webhook_number = 7,
                                .attempts = 3,
                                .under_way = true,
                                .due = from_unix_ns(1'935'652'087'000'000'000),
                                .tag = 0x0123456789abcdef};
  const std::vector<std::byte> outcome = {std::byte{0xaa}, std::byte{0xbb}};
  const std::map<std::string, std::vector<std::byte>> written = {
      {"CLAIM", block_with(RecordType::claim, Claim{writer, 2}, 1)},
      {"RENEW",
       block_with(RecordType::renew, Renew{claim, 990, Instant{std::chrono::seconds(60)}, 5}, 2)},
      {"RELEASE", block_with(RecordType::release, Release{claim}, 3)},
      {"FENCE", block_with(RecordType::fence, Fence{claim}, 1)},
      {"OUTCOME", block_with(RecordType::outcome, ClaimedOutcome{claim, outcome}, 2)},
      {"CHECKPOINT", block_with(RecordType::checkpoint,
                                CheckpointChunk{{claim, 1007, 1012, 5, 1}, 0, {pending}}, 3)},
      {"SETTLED",
       block_with(RecordType::settled, Settled{claim, 1007, {5, 1011}, BlockName{4, 30}}, 1)},
      {"FORWARDED", encode(Forwarded{0x0300002a00001020})},
  };
  const auto shown = examples_of_readme();
  EXPECT_EQ(shown.size(), written.size());
  for (const auto& [name, bytes] : written) {
    const auto found = shown.find(name);
    EXPECT_TRUE(found != shown.end() && found->second == bytes)
        << "Example " << name << ":" << hex(bytes);
  }
}

}  // namespace
}  // namespace ringpost::replica
