// How much a lookup in the subscription table costs while webhooks change, beside a bare hash table
// that nobody changes.
//
//   sub_lookup_bench [--smoke | --large] [--rounds N]
//
// Both answer the same question (exact source, kind, whole organization: three probes) with the
// same hash and compare keys in full. Rounds alternate and medians are shown, because the machine
// is not ours alone. The writer replaces 1,000 webhooks a second, one publish each, while the table
// is measured, and rests while the bare one is.

#include "../measure.h"
#include "base/prng.h"
#include "subscription/patterns.h"
#include "subscription/table.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace ringpost::subscription {
namespace {

using bench::cpu_ns;
using bench::median;

using Clock = std::chrono::steady_clock;

constexpr HashKey secret{0x5eed, 0xbe9c4};
constexpr size_t turn_size = 16;  // Events in one turn of a shard's loop.
constexpr std::string_view acme = "default";
constexpr std::string_view event_type = "build/finished";

double ns_between(Clock::time_point start, Clock::time_point end) {
  return std::chrono::duration<double, std::nano>(end - start).count();
}

/// `app/` and 16 hexadecimal digits, as the CI platform's applications are called.
std::string source_name(uint64_t index) {
  char text[32];
  std::snprintf(text, sizeof text, "app/%016llx",
                static_cast<unsigned long long>(index * 0x9e3779b97f4a7c15u));
  return text;
}

Webhook make_webhook(uint32_t number) {
  Webhook webhook;
  webhook.number = number;
  webhook.sources = {source_name(number)};
  return webhook;
}

/// The sources of events to come, in one run of memory, so that reading them costs both the same.
class Events {
 public:
  Events(size_t count, uint32_t keys, uint64_t seed) : count_(count), text_(count * size_, '\0') {
    Prng random(seed);
    for (size_t index = 0; index < count; ++index) {
      const auto name = source_name(random.between(1, keys));
      std::memcpy(&text_[index * size_], name.data(), size_);
    }
  }
  std::string_view operator[](size_t index) const { return {&text_[index * size_], size_}; }
  size_t count() const { return count_; }

 private:
  static constexpr size_t size_ = 20;
  size_t count_;
  std::vector<char> text_;
};

/// One flat array of {hash, row}, load at most 1/2; rows with their keys in a second array.
class BareTable {
 public:
  explicit BareTable(const Snapshot& snapshot) : hash_(secret) {
    size_t size = 16;
    while (size < snapshot.webhook_count() * 2) size *= 2;
    slots_.resize(size);
    rows_.reserve(snapshot.webhook_count());
    snapshot.for_each_webhook([this](const Webhook& webhook) {
      Row row{.webhook = &webhook, .size = static_cast<uint8_t>(webhook.sources[0].size())};
      std::memcpy(row.owner, acme.data(), acme.size());
      std::memcpy(row.source, webhook.sources[0].data(), row.size);
      rows_.push_back(row);
      const uint64_t hash = hash_.hash(hash_.organization(acme), webhook.sources[0]);
      size_t at = hash & (slots_.size() - 1);
      while (slots_[at].row != nullptr) at = (at + 1) & (slots_.size() - 1);
      slots_[at] = {.hash = hash, .row = &rows_.back()};
    });
  }

  void match(std::string_view source, std::vector<const Webhook*>& out) const {
    char kind[source_bytes_max];
    const size_t prefix = kind_prefix_size(source);
    std::memcpy(kind, source.data(), prefix);
    kind[prefix] = '*';
    const std::string_view keys[] = {source, {kind, prefix + 1}, "*"};
    const KeyedHash::Organization start = hash_.organization(acme);
    uint64_t hashes[3];
    for (size_t index = 0; index < 3; ++index) {
      hashes[index] = hash_.hash(start, keys[index]);
      __builtin_prefetch(&slots_[hashes[index] & (slots_.size() - 1)]);
    }
    for (size_t index = 0; index < 3; ++index) find(hashes[index], keys[index], out);
  }

 private:
  struct Row {
    const Webhook* webhook;
    uint8_t size;
    char owner[acme.size()];
    char source[24];
  };
  struct Slot {
    uint64_t hash = 0;
    const Row* row = nullptr;
  };

  void find(uint64_t hash, std::string_view key, std::vector<const Webhook*>& out) const {
    size_t at = hash & (slots_.size() - 1);
    for (; slots_[at].row != nullptr; at = (at + 1) & (slots_.size() - 1)) {
      const Row& row = *slots_[at].row;
      if (slots_[at].hash != hash || std::string_view{row.source, row.size} != key) continue;
      if (std::string_view{row.owner, acme.size()} != acme) continue;
      out.push_back(row.webhook);
      return;
    }
  }

  KeyedHash hash_;
  std::vector<Slot> slots_;
  std::vector<Row> rows_;
};

struct Round {
  double ns_per_lookup = 0;
  double turn_ns_p999 = 0;
};

template <typename Match, typename TurnEnd>
Round measure(const Events& events, const Match& match, const TurnEnd& turn_end) {
  std::vector<const Webhook*> out;
  std::vector<double> turns;
  turns.reserve(events.count() / turn_size);
  size_t found = 0;
  const double start = cpu_ns();
  auto turn_start = Clock::now();
  for (size_t first = 0; first + turn_size <= events.count(); first += turn_size) {
    for (size_t index = first; index < first + turn_size; ++index) {
      out.clear();
      match(events[index], out);
      found += out.size();
    }
    turn_end();
    const auto now = Clock::now();
    turns.push_back(ns_between(turn_start, now));
    turn_start = now;
  }
  const double total = cpu_ns() - start;
  if (found != turns.size() * turn_size) {
    std::fprintf(stderr, "found %zu of %zu\n", found, turns.size() * turn_size);
    std::exit(1);
  }
  const auto p999 = turns.begin() + static_cast<ptrdiff_t>(turns.size() * 999 / 1000);
  std::nth_element(turns.begin(), p999, turns.end());
  return {.ns_per_lookup = total / static_cast<double>(found), .turn_ns_p999 = *p999};
}

/// Replaces webhooks on a thread of its own, 1,000 a second, while `run` is set.
class Writer {
 public:
  Writer(SubscriptionTable& table, uint32_t keys)
      : thread_([this, &table, keys] { update(table, keys); }) {}
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer() {
    stop_ = true;
    thread_.join();
  }

  void run(bool on) { running_ = on; }
  double publish_us() const { return static_cast<double>(publish_ns_) / 1e3 / count_; }
  uint64_t publishes() const { return count_; }

 private:
  void update(SubscriptionTable& table, uint32_t keys) {
    Prng random(1);
    auto next = Clock::now();
    while (!stop_) {
      next = std::max(next + std::chrono::milliseconds(1), Clock::now() - std::chrono::seconds(1));
      std::this_thread::sleep_until(next);
      if (!running_) continue;
      table.put(make_webhook(static_cast<uint32_t>(random.between(1, keys))));
      const auto start = Clock::now();
      table.publish();
      publish_ns_ += static_cast<uint64_t>(ns_between(start, Clock::now()));
      ++count_;
    }
  }

  std::atomic<bool> running_{false};
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> publish_ns_{0};
  std::atomic<uint32_t> count_{0};
  std::thread thread_;
};

double best(const std::vector<double>& values) {
  return *std::min_element(values.begin(), values.end());
}

void run(uint32_t keys, size_t lookups, int rounds) {
  SubscriptionTable table(1, secret);
  for (uint32_t number = 1; number <= keys; ++number) table.put(make_webhook(number));
  const auto load_start = Clock::now();
  table.publish();
  const double load_ms = ns_between(load_start, Clock::now()) / 1e6;
  SubscriptionTable::Reader& reader = table.reader(0);
  reader.online();
  // The bare table's rows point at webhooks of their own: the writer frees the others.
  SubscriptionTable still(0, secret);
  for (uint32_t number = 1; number <= keys; ++number) still.put(make_webhook(number));
  still.publish();
  const BareTable bare(still.current());
  std::vector<double> table_ns, bare_ns, ratios, table_p999, bare_p999;
  {
    Writer writer(table, keys);
    for (int round = 0; round <= rounds; ++round) {
      const Events events(lookups, keys, static_cast<uint64_t>(round) + 7);
      const auto match_bare = [&](std::string_view source, auto& out) { bare.match(source, out); };
      const Round other = measure(events, match_bare, [] {});
      writer.run(true);
      const Round ours = measure(
          events,
          [&](std::string_view source, auto& out) {
            reader.snapshot().match({.organization = acme, .source = source, .type = event_type},
                                    out);
          },
          [&] { reader.quiescent(); });
      writer.run(false);
      if (round == 0) continue;  // Warms the caches.
      table_ns.push_back(ours.ns_per_lookup);
      bare_ns.push_back(other.ns_per_lookup);
      ratios.push_back(ours.ns_per_lookup / other.ns_per_lookup);
      table_p999.push_back(ours.turn_ns_p999);
      bare_p999.push_back(other.turn_ns_p999);
    }
    reader.offline();
    std::printf("%9u  %7.1f  %7.1f  %6.2f  %6.2f  %9.0f  %9.0f  %9.1f  %9llu  %7.1f  %8.1f\n", keys,
                best(table_ns), best(bare_ns), best(table_ns) / best(bare_ns), median(ratios),
                median(table_p999), median(bare_p999),
                static_cast<double>(table.stats().source_bytes) / keys,
                static_cast<unsigned long long>(writer.publishes()),
                writer.publishes() == 0 ? 0.0 : writer.publish_us(), load_ms);
  }
}

}  // namespace
}  // namespace ringpost::subscription

int main(int argc, char** argv) {
  bool smoke = false;
  bool large = false;
  int rounds = 61;
  for (int index = 1; index < argc; ++index) {
    const std::string_view argument = argv[index];
    if (argument == "--smoke") {
      smoke = true;
    } else if (argument == "--large") {
      large = true;
    } else if (argument == "--rounds" && index + 1 < argc) {
      rounds = std::max(1, std::atoi(argv[++index]));
    } else {
      std::fprintf(stderr, "usage: %s [--smoke | --large] [--rounds N]\n", argv[0]);
      return 2;
    }
  }
  std::printf(
      "     keys   cpu ns     bare   ratio  median  turn p999       bare  bytes/row"
      "  publishes  us each   load ms\n");
  using ringpost::subscription::run;
  if (smoke) {
    run(500, 2000, 1);
    return 0;
  }
  for (const uint32_t keys : {4096u, 65'536u, 1'048'576u}) run(keys, 1 << 16, rounds);
  if (large) run(8'388'608, 1 << 16, rounds);
  return 0;
}
