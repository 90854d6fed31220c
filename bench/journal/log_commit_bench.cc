// What the journal costs on top of the disk. Every figure stands beside its reference, measured in
// the same run on the same disk: `log_commit_bench [--smoke] [directory]`.

#include "io/linux_ring.h"
#include "io/posix_disk.h"
#include "journal/block_buffer.h"
#include "journal/recovery.h"
#include "journal/segments.h"
#include "journal/writer.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <vector>

namespace {

using namespace ringpost;
using Clock = std::chrono::steady_clock;

constexpr uint64_t directory_id = 0x62656e6368;
constexpr uint32_t event_bytes = 1024;

struct Sizes {
  uint32_t segment_bytes;
  uint32_t segments;       // Written for throughput.
  uint32_t single_writes;  // For latency.
};
constexpr Sizes full{64 * 1024 * 1024, 8, 2000};
constexpr Sizes smoke{4 * 1024 * 1024, 2, 20};

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

[[noreturn]] void give_up(const char* what, const Error& error) {
  std::fprintf(stderr, "log_commit_bench: %s: %s\n", what, describe(error).c_str());
  std::exit(1);
}

template <typename T>
T must(Result<T> result, const char* what) {
  if (!result) give_up(what, result.error());
  return std::move(result).value();
}

double percentile(std::vector<double>& values, double part) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(static_cast<double>(values.size() - 1) * part)];
}

void print_limit(const char* what, double value, double limit, bool at_least) {
  const bool met = at_least ? value >= limit : value <= limit;
  std::printf("  %-46s %8.2f  limit %s %.2f  %s\n", what, value, at_least ? ">=" : "<=", limit,
              met ? "met" : "MISSED");
}

/// The shard, as far as the journal needs one.
class Shard final : public journal::WriterEvents {
 public:
  Shard(io::Disk& disk, io::Ring& ring, const std::string& directory, const Sizes& sizes)
      : ring_(ring),
        keeper_(disk, {.journal_directory = directory,
                       .directory_id = directory_id,
                       .segment_bytes = sizes.segment_bytes}),
        writer_(ring, counters_, *this, {.directory_id = directory_id}) {
    if (auto opened = keeper_.open({}); !opened) give_up("open", opened.error());
  }
  ~Shard() override {
    while (!writer_.idle()) ring_.turn(true);
  }

  /// Fills segments before the clock runs, as the control thread does ahead of need.
  void prepare(uint32_t count) {
    for (uint32_t index = 0; index < count; ++index) keeper_.want(0);
    while (keeper_.busy()) {
      const auto progress = keeper_.step(ring_.wall_now());
      const bool bad = progress == journal::SegmentKeeper::Progress::failed ||
                       progress == journal::SegmentKeeper::Progress::no_space;
      if (bad) give_up("prepare", keeper_.error());
    }
    while (auto ready = keeper_.take()) {
      writer_.provide(ready->segment);
      segments_.push_back(ready->segment);
    }
  }

  journal::Writer& writer() { return writer_; }
  const std::vector<journal::PreparedSegment>& segments() const { return segments_; }
  bool direct() const { return keeper_.direct().value_or(false); }
  uint64_t bytes_written() const { return counters_.value(Counter::journal_bytes); }
  uint64_t commits() const { return counters_.value(Counter::syncs_completed); }

  void on_durable(journal::Position) override {}
  void on_segment_wanted() override {}
  void on_segment_sealed(uint32_t number) override { keeper_.sealed(0, number); }
  void on_storage_failed(const Error& error) override { give_up("write", error); }

 private:
  io::Ring& ring_;
  Counters counters_;
  journal::SegmentKeeper keeper_;
  journal::Writer writer_;
  std::vector<journal::PreparedSegment> segments_;
};

/// Overwrites a written file through plain blocking calls.
class RawLoop {
 public:
  RawLoop(io::Disk& disk, io::File file, uint32_t file_bytes)
      : disk_(disk), file_(file), file_bytes_(file_bytes) {}

  /// Bytes per second of `bytes` written in pieces of `piece`.
  double bytes_per_second(uint32_t piece, uint64_t bytes) {
    const journal::BlockBuffer buffer(piece);
    std::fill_n(buffer.data(), piece, std::byte{'r'});
    const auto start = Clock::now();
    for (uint64_t done = 0; done < bytes; done += piece) write(buffer, piece);
    return static_cast<double>(bytes) / seconds_since(start);
  }

  std::vector<double> latencies_us(uint32_t piece, uint32_t count) {
    const journal::BlockBuffer buffer(piece);
    std::fill_n(buffer.data(), piece, std::byte{'r'});
    std::vector<double> times;
    for (uint32_t index = 0; index < count; ++index) {
      const auto start = Clock::now();
      write(buffer, piece);
      times.push_back(seconds_since(start) * 1e6);
    }
    return times;
  }

 private:
  void write(const journal::BlockBuffer& buffer, uint32_t piece) {
    const auto written = disk_.write_at(file_, offset_, {buffer.data(), piece});
    if (!written) give_up("raw write", written.error());
    offset_ += piece;
    if (offset_ + piece > file_bytes_) offset_ = 0;
  }

  io::Disk& disk_;
  io::File file_;
  uint32_t file_bytes_;
  uint64_t offset_ = 0;
};

/// A file of its own, written once, so that overwriting it changes data blocks only.
io::File make_raw_file(io::Disk& disk, const std::string& path, uint32_t bytes) {
  const auto file = must(disk.open(path, io::Disk::OpenMode::create), "raw file");
  const std::vector<std::byte> zeros(1024 * 1024);
  for (uint64_t at = 0; at < bytes; at += zeros.size()) {
    if (auto done = disk.write_at(file, at, zeros); !done) give_up("raw file", done.error());
  }
  if (auto done = disk.sync(file); !done) give_up("raw file", done.error());
  disk.close(file);
  bool direct = false;
  return must(disk.open_journal(path, direct), "raw file");
}

journal::EventRef make_event() {
  static const std::string data(event_bytes, 'd');
  static const uint32_t webhooks[1] = {1};
  journal::EventView event;
  event.organization = "acme";
  event.id = "0123456789";
  event.source = "ci/app";
  event.type = "build.finished";
  event.data = as_bytes(data);
  event.webhook_numbers = std::as_bytes(std::span{webhooks});
  return journal::EventCodec::encode(event);
}

/// Appends as fast as the queue takes events, until `segments` are nearly full.
void append_bench(Shard& shard, io::Ring& ring, const Sizes& sizes, double raw) {
  const auto event = make_event();
  const uint64_t target = uint64_t{sizes.segment_bytes} * sizes.segments / 10 * 8;
  const uint64_t begin = shard.bytes_written();
  const uint64_t commits = shard.commits();
  uint64_t appended = 0;
  const double cpu = cpu_seconds();
  const auto start = Clock::now();
  while (appended * event->record().size() < target) {
    for (int index = 0; index < 64; ++index) {
      const auto position = shard.writer().append(journal::RecordType::event, event->record());
      if (!position && position.error().code == Errc::overloaded) break;
      if (!position) give_up("append", position.error());
      ++appended;
    }
    shard.writer().commit();
    ring.turn(false);
  }
  while (!shard.writer().idle()) {
    shard.writer().commit();
    ring.turn(true);
  }
  const double seconds = seconds_since(start);
  const uint64_t bytes = shard.bytes_written() - begin;
  const double rate = static_cast<double>(bytes) / seconds;
  std::printf("append: %llu events of %u B, %.0f MB/s, %.0f k events/s, %.0f KiB a commit,",
              static_cast<unsigned long long>(appended), event_bytes, rate / 1e6,
              static_cast<double>(appended) / seconds / 1e3,
              static_cast<double>(bytes) / static_cast<double>(shard.commits() - commits) / 1024);
  std::printf(" %.0f ns CPU an event\n",
              (cpu_seconds() - cpu) * 1e9 / static_cast<double>(appended));
  std::printf("  raw 64 KiB overwrite loop: %.0f MB/s\n", raw / 1e6);
  print_limit("append bytes/s over raw bytes/s", rate / raw, 0.6, true);
}

/// One event at a time: from append to on_durable.
std::vector<double> commit_latencies_us(Shard& shard, io::Ring& ring, uint32_t count) {
  const auto event = make_event();
  std::vector<double> times;
  for (uint32_t index = 0; index < count; ++index) {
    const auto start = Clock::now();
    const auto position = shard.writer().append(journal::RecordType::event, event->record());
    if (!position) give_up("append", position.error());
    shard.writer().commit();
    while (shard.writer().durable_through() < *position) ring.turn(true);
    times.push_back(seconds_since(start) * 1e6);
  }
  return times;
}

void commit_bench(Shard& shard, io::Ring& ring, RawLoop& raw, uint32_t count) {
  std::vector<double> raw_times;
  std::vector<double> times;
  for (int round = 0; round < 4; ++round) {  // In turns: the disk's mood is the same for both.
    const auto add = [](std::vector<double>& to, const std::vector<double>& from) {
      to.insert(to.end(), from.begin(), from.end());
    };
    add(raw_times, raw.latencies_us(4096, count / 4));
    add(times, commit_latencies_us(shard, ring, count / 4));
  }
  const double p50 = percentile(times, 0.5);
  const double raw_p50 = percentile(raw_times, 0.5);
  std::printf("commit of one event: p50 %.0f us, p99 %.0f us\n", p50, percentile(times, 0.99));
  std::printf("  raw 4 KiB write: p50 %.0f us, p99 %.0f us\n", raw_p50,
              percentile(raw_times, 0.99));
  print_limit("commit p50 over raw p50", p50 / raw_p50, 2.0, false);
}

class Counting final : public journal::RecoveryVisitor {
 public:
  void on_event(journal::Position, const journal::EventView&, Bytes) override { ++events; }
  void on_outcome(journal::Position, const journal::OutcomeView&) override {}
  void on_finding(const journal::Finding& finding) override {
    if (finding.kind == journal::Finding::Kind::note) return;
    std::fprintf(stderr, "log_commit_bench: %s: %s\n", finding.path.c_str(), finding.text.c_str());
  }
  uint64_t events = 0;
};

void recovery_bench(io::Disk& disk, const std::string& directory) {
  Counting counting;
  const double cpu = cpu_seconds();
  const auto start = Clock::now();
  const auto report =
      must(journal::recover(disk, directory, {.directory_id = directory_id}, counting), "recover");
  const double rate = static_cast<double>(report.bytes_read) / seconds_since(start) / 1e6;
  std::printf(
      "recovery: %llu events, %.0f MB read, %.0f ns CPU an event\n",
      static_cast<unsigned long long>(counting.events),
      static_cast<double>(report.bytes_read) / 1e6,
      (cpu_seconds() - cpu) * 1e9 / static_cast<double>(std::max<uint64_t>(1, counting.events)));
  print_limit("recovery MB/s", rate, 500, true);
}

void print_surroundings(const std::string& directory, bool direct) {
  utsname system{};
  uname(&system);
  struct statfs file_system {};
  statfs(directory.c_str(), &file_system);
  std::printf("kernel %s, file system type 0x%lx, %s, segments zero-filled before use\n",
              system.release, static_cast<unsigned long>(file_system.f_type),
              direct ? "O_DIRECT|O_DSYNC" : "O_DSYNC only");
}

void run(const std::string& directory, const Sizes& sizes) {
  io::PosixDisk disk;
  auto ring = must(io::LinuxRing::create({}), "io_uring");
  const auto raw_file = make_raw_file(disk, directory + "/raw", sizes.segment_bytes);
  {
    Shard shard(disk, *ring, directory + "/journal", sizes);
    shard.prepare(sizes.segments + 1);
    print_surroundings(directory, shard.direct());
    RawLoop raw(disk, raw_file, sizes.segment_bytes);
    const double rate = raw.bytes_per_second(64 * 1024, uint64_t{sizes.segment_bytes} * 2);
    append_bench(shard, *ring, sizes, rate);
    commit_bench(shard, *ring, raw, sizes.single_writes);
  }
  disk.close(raw_file);
  recovery_bench(disk, directory + "/journal");
}

}  // namespace

int main(int argument_count, char** arguments) {
  Sizes sizes = full;
  std::string parent = std::filesystem::current_path().string();
  for (int index = 1; index < argument_count; ++index) {
    const std::string argument = arguments[index];
    if (argument == "--smoke") {
      sizes = smoke;
    } else {
      parent = argument;
    }
  }
  std::string directory = parent + "/log_commit_bench.XXXXXX";
  if (mkdtemp(directory.data()) == nullptr) {
    std::perror(("log_commit_bench: " + directory).c_str());
    return 1;
  }
  run(directory, sizes);
  std::filesystem::remove_all(directory);
  return 0;
}
