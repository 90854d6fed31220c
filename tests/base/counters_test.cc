#include "base/counters.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>

namespace ringpost {
namespace {

bool is_name(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char letter) {
    return (letter >= 'a' && letter <= 'z') || letter == '_';
  });
}

// Goal: every counter can be shown by every reader of the table, and means one thing.
TEST(CounterTable, NamesEachCounterOnce) {
  std::set<std::string_view> names;
  for (const CounterInfo& row : counter_table()) {
    EXPECT_TRUE(is_name(row.name)) << row.name;
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_EQ(&info(row.counter), &row);
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(Counter::count_));
}

// Goal: the names follow the conventions that tools rely on: a prefix of ours, the unit at the end,
// and none of the suffixes that OpenMetrics gives to samples.
TEST(CounterTable, NamesFamiliesAsOpenMetricsWants) {
  for (const CounterInfo& row : counter_table()) {
    const MetricInfo& family = row.family;
    EXPECT_TRUE(family.help.ends_with('.')) << row.name;
    EXPECT_TRUE(family.kind == MetricKind::counter || family.kind == MetricKind::gauge) << row.name;
    if (family.name.empty()) continue;
    EXPECT_TRUE(is_name(family.name)) << row.name;
    EXPECT_TRUE(family.name.starts_with("ringpost_")) << row.name;
    EXPECT_TRUE(family.unit.empty() || family.name.ends_with("_" + std::string{family.unit}))
        << row.name;
    for (const char* suffix : {"_total", "_created", "_count", "_sum", "_bucket", "_info"}) {
      EXPECT_FALSE(family.name.ends_with(suffix)) << row.name;
    }
  }
}

// Goal: rows of a family are neighbours with one description, and their labels tell them apart.
TEST(CounterTable, KeepsFamiliesTogether) {
  std::map<std::string_view, std::set<std::string>> labels;
  std::string_view before;
  for (const CounterInfo& row : counter_table()) {
    const std::string_view name = row.family.name;
    if (name.empty()) continue;
    EXPECT_EQ(labels.contains(name), name == before) << row.name;
    const std::string label = std::string{row.label.name} + "=" + std::string{row.label.value};
    EXPECT_TRUE(labels[name].insert(label).second) << row.name;
    EXPECT_TRUE(row.label.name.empty() || is_name(row.label.name)) << row.name;
    before = name;
  }
  for (const auto& [name, rows] : labels) {
    EXPECT_TRUE(rows.size() == 1 || !rows.contains("=")) << name;
  }
}

TEST(Counters, AddSubtractAndSet) {
  Counters counters;
  counters.add(Counter::connections_open, 3);
  counters.subtract(Counter::connections_open);
  EXPECT_EQ(counters.value(Counter::connections_open), 2u);
  counters.set(Counter::connections_open, 9);
  EXPECT_EQ(counters.value(Counter::connections_open), 9u);
  EXPECT_EQ(counters.value(Counter::connections_accepted), 0u);
}

}  // namespace
}  // namespace ringpost
