// What a long history costs: bytes and CPU of its index files, and the time of each question, cold
// (nothing of the files in the page cache) and warm, each beside its limit. Reference for the cold
// figures: one read of 4 KiB at random from the same files, in the same run.
// `history_bench [--smoke] [--deliveries N] [--fan-out N] [--shards N] [directory]`.
// The segments themselves are not written: only their index files are (about 35 bytes a delivery).

#include "../measure.h"
#include "index/file_image.h"
#include "index/index.h"
#include "io/posix_disk.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

namespace {

using namespace ringpost;
using index::DeliveryStatus;
using index::Position;
using Clock = std::chrono::steady_clock;

constexpr uint64_t directory_id = 0x62656e6368;
constexpr uint32_t segment_bytes = 64 * 1024 * 1024;
constexpr uint32_t event_bytes = 1192;   // An event of 1 KiB with its head.
constexpr uint32_t outcome_bytes = 192;  // A success, told as changes to another one.
constexpr uint64_t event_interval_us = 100;
constexpr uint32_t webhooks = 1000;
constexpr uint32_t rare_webhook = webhooks + 1;

struct Setup {
  uint64_t deliveries = 2'000'000;
  uint32_t fan_out = 1;
  uint32_t shards = 1;
  std::string directory;
};

template <typename T>
T must(Result<T> result, const char* what) {
  if (!result) {
    std::fprintf(stderr, "history_bench: %s: %s\n", what, describe(result.error()).c_str());
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

void print(const std::string& what, double value, const char* unit, double limit) {
  std::printf("  %-58s %10.2f %-3s limit %.0f  %s\n", what.c_str(), value, unit, limit,
              value <= limit ? "met" : "MISSED");
}

/// CPU of `work`, but for what reading the clock takes.
template <typename Work>
double cpu_of(Work work) {
  static const double clock_ns = [] {
    std::vector<double> readings;
    for (int round = 0; round < 1000; ++round) {
      const double start = bench::cpu_ns();
      readings.push_back(bench::cpu_ns() - start);
    }
    return bench::median(readings);
  }();
  const double start = bench::cpu_ns();
  work();
  return bench::cpu_ns() - start - clock_ns;
}

/// A journal in the making: its place, and the part of its open segment.
struct Journal {
  uint16_t number = 0;
  uint32_t segment = 1;
  uint32_t offset = 4096;
  std::unique_ptr<index::OpenPart> part;
};

struct Known {
  Ulid uid;
  Position position;
  std::string id;
};

/// Makes a history: most deliveries succeed at once; 3 % are tried again seconds later, 1 % hours
/// later, 0.1 % die, and 0.1 % are pending for good.
class Builder {
 public:
  Builder(io::Disk& disk, const Setup& setup)
      : disk_(disk), setup_(setup), journals_(setup.shards) {
    for (uint32_t number = 0; number < setup.shards; ++number) {
      journals_[number].number = static_cast<uint16_t>(number);
      must(disk.make_directory(
               journal::journal_path(setup.directory, static_cast<uint16_t>(number))),
           "a directory");
      begin(journals_[number]);
    }
  }

  void build() {
    while (deliveries < setup_.deliveries) {
      add_event();
      add_outcomes_that_are_due();
    }
    for (Journal& journal : journals_) seal(journal);
  }

  uint64_t deliveries = 0;
  uint64_t events = 0;
  uint64_t pending = 0;
  uint64_t index_bytes = 0;
  double cpu_add_ns = 0;
  double cpu_image_ns = 0;
  std::vector<Known> known;  // A few of all times.
  std::vector<std::pair<uint16_t, uint32_t>> segments;

 private:
  struct Due {
    uint64_t at_us;
    Position event;
    uint32_t webhook;
    uint32_t attempt;
    DeliveryStatus status;
    bool operator<(const Due& other) const { return at_us > other.at_us; }  // Soonest on top.
  };

  void begin(Journal& journal) {
    journal.part = std::make_unique<index::OpenPart>(journal.number, journal.segment,
                                                     index::TextHash(directory_id), true);
    journal.offset = 4096;
  }

  Position place(Journal& journal, uint32_t bytes) {
    if (journal.offset + bytes > segment_bytes) {
      seal(journal);
      ++journal.segment;
      begin(journal);
    }
    const auto position = Position::make(journal.number, journal.segment, journal.offset);
    journal.offset += bytes;
    return position;
  }

  void seal(Journal& journal) {
    std::vector<std::byte> image;
    cpu_image_ns += cpu_of([&] { image = make_image(*journal.part, directory_id); });
    must(write_image(disk_, setup_.directory, *journal.part, image), "an index file");
    index_bytes += image.size();
    segments.emplace_back(journal.number, journal.segment);
  }

  void add_event() {
    now_us_ += event_interval_us;
    Journal& journal = journals_[events % setup_.shards];
    const Position position = place(journal, event_bytes);
    const std::string id = std::to_string(events * 7919);
    std::vector<uint32_t> numbers;
    for (uint32_t which = 0; which < setup_.fan_out; ++which) {
      numbers.push_back(1 + static_cast<uint32_t>((events * 31 + which) % webhooks));
    }
    if (events % 100'000 == 99'999) numbers.push_back(rare_webhook);
    journal::EventView event;
    event.uid = Ulid::mint(from_unix_ns(static_cast<int64_t>(now_us_) * 1000), random_);
    event.organization = "default";
    event.id = id;
    event.source = "app/demo";
    event.type = events % 10 == 0 ? "build/started" : "build/finished";
    event.webhook_numbers = std::as_bytes(std::span{numbers});
    cpu_add_ns += cpu_of([&] { journal.part->add(event, position); });
    if (events % 1009 == 0 && known.size() < 100'000) known.push_back({event.uid, position, id});
    ++events;
    for (const uint32_t webhook : numbers) schedule(position, webhook);
  }

  void schedule(Position event, uint32_t webhook) {
    ++deliveries;
    const uint64_t kind = random_.below(1000);
    if (kind == 0) {
      ++pending;
      return;
    }
    const uint64_t soon = now_us_ + random_.between(800, 8000);
    const bool fails = kind < 40;
    push({soon, event, webhook, 1, fails ? DeliveryStatus::pending : DeliveryStatus::delivered});
    if (!fails) return;
    const uint64_t later = kind < 30 ? 5'000'000 : 3'600'000'000;
    push({soon + later, event, webhook, 2,
          kind == 1 ? DeliveryStatus::dead : DeliveryStatus::delivered});
  }

  void push(const Due& due) {
    due_.push_back(due);
    std::push_heap(due_.begin(), due_.end());
  }

  void add_outcomes_that_are_due() {
    while (!due_.empty() && due_.front().at_us <= now_us_) {
      std::pop_heap(due_.begin(), due_.end());
      const Due due = due_.back();
      due_.pop_back();
      Journal& journal = journals_[due.webhook % setup_.shards];
      const index::Outcome outcome{
          .delivery = {due.event, due.webhook},
          .record = place(journal, outcome_bytes),
          .attempt = due.attempt,
          .status = due.status,
          .http_status = static_cast<uint16_t>(due.status == DeliveryStatus::delivered ? 200 : 503),
          .started_at = from_unix_ns(static_cast<int64_t>(due.at_us) * 1000),
          .next_attempt_at =
              due.status == DeliveryStatus::pending
                  ? from_unix_ns((static_cast<int64_t>(due.at_us) / 1'000'000 + 6) * 1'000'000'000)
                  : WallTime{}};
      cpu_add_ns += cpu_of([&] { journal.part->add(outcome); });
    }
  }

  io::Disk& disk_;
  const Setup& setup_;
  Prng random_{1};
  uint64_t now_us_ = 1'900'000'000'000'000;
  std::vector<Journal> journals_;
  std::vector<Due> due_;
};

/// What the files of ids of all full groups take.
struct Groups {
  std::vector<index::IdGroupKey> made;
  uint64_t bytes = 0;
  double cpu_ns = 0;
  double longest_step_ms = 0;
};

Groups make_groups(io::Disk& disk, const Setup& setup, const Builder& built) {
  std::map<std::pair<uint16_t, uint32_t>, index::SegmentMask> groups;
  for (const auto& [journal, segment] : built.segments) {
    groups[{journal, index::last_of_group(segment)}] |= index::mask_of(segment);
  }
  Groups all;
  for (const auto& [name, segments] : groups) {
    const auto [journal, last] = name;
    if ((segments & index::mask_of(last)) == 0) continue;
    const index::IdGroupKey key{setup.directory, directory_id, journal, last};
    index::IdGroupWriter writer(disk, key, segments);
    for (bool done = false; !done;) {
      const auto start = Clock::now();
      all.cpu_ns += cpu_of([&] { done = must(writer.step(), "a file of ids"); });
      all.longest_step_ms = std::max(all.longest_step_ms, ms_since(start));
    }
    all.bytes += std::filesystem::file_size(key.path());
    all.made.push_back(key);
  }
  return all;
}

void drop_from_page_cache(const std::string& directory) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file()) continue;
    const int file = ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) continue;
    posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    ::close(file);
  }
}

/// Median of one cold read of 4 KiB, opening the file included.
double cold_read_ms(const std::string& directory) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  Prng random(2);
  std::vector<double> times;
  std::vector<std::byte> page(4096);
  for (int round = 0; round < 200; ++round) {
    const std::string& path = files[random.below(files.size())];
    const auto size = std::filesystem::file_size(path) / 4096;
    const auto start = Clock::now();
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    posix_fadvise(file, 0, 0, POSIX_FADV_RANDOM);
    const auto at = static_cast<off_t>(random.below(size) * 4096);
    RINGPOST_ASSERT(pread(file, page.data(), page.size(), at) == 4096);
    ::close(file);
    times.push_back(ms_since(start));
  }
  return bench::median(times);
}

struct Times {
  double cold_ms = 0;
  double cold_worst_ms = 0;
  double warm_ms = 0;
  uint64_t pages = 0;  // Read when cold; the most.
};

/// Asks each of several questions cold, then warm.
template <typename Ask>
Times measure(index::Index& index, const std::string& directory, size_t questions, Ask ask) {
  std::vector<double> cold;
  std::vector<double> warm;
  Times times;
  for (size_t question = 0; question < questions; ++question) {
    index.close_files();
    drop_from_page_cache(directory);
    const uint64_t before = index.pages_read();
    auto start = Clock::now();
    ask(question);
    cold.push_back(ms_since(start));
    times.pages = std::max(times.pages, index.pages_read() - before);
    start = Clock::now();
    ask(question);
    warm.push_back(ms_since(start));
  }
  times.cold_ms = bench::median(cold);
  times.cold_worst_ms = *std::ranges::max_element(cold);
  times.warm_ms = bench::median(warm);
  return times;
}

void print(const char* what, const Times& times, double limit) {
  std::printf("  %-44s cold %8.2f ms, worst %8.2f, warm %7.3f, pages %5llu  limit %.0f ms  %s\n",
              what, times.cold_ms, times.cold_worst_ms, times.warm_ms,
              static_cast<unsigned long long>(times.pages), limit,
              times.cold_ms <= limit ? "met" : "MISSED");
}

void ask_all(index::Index& index, const Setup& setup, const Builder& built) {
  const std::string& directory = setup.directory;
  const size_t rounds = built.known.size() < 1000 ? 5 : 20;
  const auto known = [&](size_t question) -> const Known& {
    return built.known[built.known.size() * question / rounds];
  };
  const auto page_of = [&](index::PageQuery query) {
    return [&index, query](size_t) { must(index.page(query), "a page"); };
  };
  print("newest page of a busy webhook",
        measure(index, directory, rounds, page_of({.webhook_number = 1})), 20);
  print("page of a busy webhook in the middle",
        measure(index, directory, rounds,
                [&](size_t question) {
                  must(index.page({.webhook_number = 1,
                                   .before = index::DeliveryPlace{known(question).uid}}),
                       "a page");
                }),
        20);
  print("page of a rare webhook (1 in 100,000 events)",
        measure(index, directory, rounds, page_of({.webhook_number = rare_webhook})), 20);
  print("page of a webhook without deliveries",
        measure(index, directory, rounds, page_of({.webhook_number = 99'999})), 20);
  print("page of dead letters (1 in 1,000)",
        measure(index, directory, rounds,
                page_of({.webhook_number = 1, .status = DeliveryStatus::dead})),
        20);
  print("delivery by id",
        measure(index, directory, rounds,
                [&](size_t question) {
                  const uint32_t webhook = 1 + static_cast<uint32_t>(question * built.known.size() /
                                                                     rounds * 1009 * 31 % webhooks);
                  RINGPOST_ASSERT(
                      must(index.delivery(journal::delivery_id(known(question).uid, webhook)),
                           "a delivery")
                          .has_value());
                }),
        10);
  print("event by the producer's id",
        measure(index, directory, rounds,
                [&](size_t question) {
                  const auto found = must(
                      index.events({.id_hash = index.hash().of("default", known(question).id)}),
                      "an event");
                  RINGPOST_ASSERT(!found.items.empty());
                }),
        10);
  print("deliveries of an event",
        measure(index, directory, rounds,
                [&](size_t question) {
                  const Known& event = known(question);
                  must(index.deliveries_of({.uid = event.uid, .position = event.position}),
                       "deliveries");
                }),
        10);
}

void run(const Setup& setup) {
  io::PosixDisk disk;
  Builder built(disk, setup);
  built.build();
  const auto per_delivery = [&](double value) {
    return value / static_cast<double>(built.deliveries);
  };
  std::printf("%llu deliveries of %llu events, fan-out %u, %u journals, %zu segments of 64 MiB\n",
              static_cast<unsigned long long>(built.deliveries),
              static_cast<unsigned long long>(built.events), setup.fan_out, setup.shards,
              built.segments.size());
  const Groups groups = make_groups(disk, setup, built);
  print("disk, bytes for each delivery, files of ids included",
        per_delivery(static_cast<double>(built.index_bytes + groups.bytes)), "B", 40);
  print("CPU to add the records of a delivery", per_delivery(built.cpu_add_ns), "ns", 500);
  print("CPU to make its part of the file", per_delivery(built.cpu_image_ns), "ns", 500);
  std::printf("  %-58s %10.2f ns  (%zu files of ids; longest step %.1f ms)\n",
              "CPU to make its part of a file of ids", per_delivery(groups.cpu_ns),
              groups.made.size(), groups.longest_step_ms);

  drop_from_page_cache(setup.directory);
  index::Index index(disk, {.journal_directory = setup.directory, .directory_id = directory_id},
                     [](const journal::Finding& finding) {
                       std::fprintf(stderr, "%s\n", describe(finding).c_str());
                     });
  auto start = Clock::now();
  for (const index::IdGroupKey& group : groups.made) {
    must(index.open_ids(group.journal, group.last), "a file of ids");
  }
  for (const auto& [journal, segment] : built.segments)
    must(index.adopt(journal, segment), "adopt");
  std::printf("  %-58s %10.2f s\n", "opening all, cold", ms_since(start) / 1000);
  print("memory", static_cast<double>(index.memory_bytes()) / 1048576, "MiB", 64);

  index.close_files();
  drop_from_page_cache(setup.directory);
  start = Clock::now();
  uint64_t pending = 0;
  must(index.for_each_pending(
           [&](Position, const Ulid&, const auto& open) { pending += open.size(); }),
       "what is pending");
  const double seconds = ms_since(start) / 1000;
  std::printf("  %-58s %10.2f s   (%llu found, limit 10 s for 10 million)\n",
              "what is pending, cold", seconds, static_cast<unsigned long long>(pending));
  RINGPOST_ASSERT(pending >= built.pending);
  drop_from_page_cache(setup.directory);
  std::printf("  %-58s %10.3f ms  (reference)\n", "one random read of 4 KiB, cold",
              cold_read_ms(setup.directory));
  ask_all(index, setup, built);
}

}  // namespace

int main(int argument_count, char** arguments) {
  Setup setup{.directory = std::filesystem::temp_directory_path()};
  for (int index = 1; index < argument_count; ++index) {
    const std::string_view argument = arguments[index];
    const auto number = [&] {
      return index + 1 < argument_count ? std::strtoull(arguments[++index], nullptr, 10) : 0;
    };
    if (argument == "--smoke") {
      setup.deliveries = 100'000;
    } else if (argument == "--deliveries") {
      setup.deliveries = number();
    } else if (argument == "--fan-out") {
      setup.fan_out = static_cast<uint32_t>(std::max<uint64_t>(number(), 1));
    } else if (argument == "--shards") {
      setup.shards = static_cast<uint32_t>(std::clamp<uint64_t>(number(), 1, 256));
    } else {
      setup.directory = argument;
    }
  }
  setup.directory += "/ringpost-history-bench-" + std::to_string(getpid());
  std::filesystem::create_directories(setup.directory);
  run(setup);
  std::filesystem::remove_all(setup.directory);
  return 0;
}
