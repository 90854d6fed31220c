#include "cli/event_stream.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

// Goal: events are read as the rules of server-sent events have it, however their bytes are cut.
// Method: each text whole, and byte by byte.

namespace ringpost::cli {
namespace {

using namespace std::string_view_literals;

struct Read {
  std::vector<std::string> events;  ///< `type=data`.
  std::string last_id;
  bool good = true;
};

Read read(std::string_view text, size_t step) {
  EventStreamReader reader;
  Read result;
  for (size_t at = 0; at < text.size() && result.good; at += step) {
    result.good = reader.feed(text.substr(at, step), [&](const StreamEvent& event) {
      result.events.push_back(event.type + "=" + event.data);
      return true;
    });
  }
  result.last_id = reader.last_id();
  return result;
}

void expect(std::string_view text, const std::vector<std::string>& events, std::string_view id) {
  for (const size_t step : {text.size(), size_t{1}, size_t{3}}) {
    const Read result = read(text, step);
    EXPECT_TRUE(result.good) << text;
    EXPECT_EQ(result.events, events) << text;
    EXPECT_EQ(result.last_id, id) << text;
  }
}

TEST(EventStreamReader, ReadsEvents) {
  expect("event: delivery\nid: 7\ndata: {}\n\n", {"delivery={}"}, "7");
  expect("data: a\ndata: b\ndata\n\ndata:c\n\n", {"message=a\nb\n", "message=c"}, "");
  expect("data:  two\r\n\r\ndata: x\r\rdata: y\n\n", {"message= two", "message=x", "message=y"},
         "");
  expect(": comment\nretry: 5\nother: 1\nid: 1\n\n", {}, "1");
  expect("id: 1\ndata: a\n\nid: 2\ndata: b\n", {"message=a"}, "1");  // Not complete.
  expect("id: 1\ndata: a\n\nid\ndata: b\n\n", {"message=a", "message=b"}, "");
  expect("id: a\0b\ndata: a\n\n"sv, {"message=a"}, "");
  expect("\n\n\nevent: x\n\ndata: y\n\n", {"message=y"}, "");
}

TEST(EventStreamReader, GoesOnWithTheLastIdOfAConnectionBefore) {
  EventStreamReader reader;
  std::vector<std::string> events;
  const auto take = [&](const StreamEvent& event) {
    events.push_back(event.data);
    return true;
  };
  EXPECT_TRUE(reader.feed("id: 1\ndata: a\n\nid: 2\ndata: half", take));
  reader.reset();
  EXPECT_EQ(reader.last_id(), "1");
  EXPECT_TRUE(reader.feed("data: b\n\n", take));
  EXPECT_EQ(events, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(reader.last_id(), "1");
}

TEST(EventStreamReader, EndsWhenNobodyWantsMore) {
  EventStreamReader reader;
  int count = 0;
  EXPECT_FALSE(reader.feed("data: a\n\ndata: b\n\n", [&](const StreamEvent&) {
    ++count;
    return false;
  }));
  EXPECT_EQ(count, 1);
}

TEST(EventStreamReader, TakesNoMoreMemoryThanARelayNeeds) {
  const auto ignore = [](const StreamEvent&) { return true; };
  EventStreamReader line;
  EXPECT_FALSE(line.feed(std::string(EventStreamReader::usual_bytes_max + 10, 'x'), ignore));
  EventStreamReader data;
  bool good = true;
  for (int count = 0; count < 20 && good; ++count) {
    good = data.feed("data: " + std::string(100'000, 'x') + "\n", ignore);
  }
  EXPECT_FALSE(good);
}

}  // namespace
}  // namespace ringpost::cli
