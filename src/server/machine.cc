#include "server/machine.h"

#include "io/read_file.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <limits>
#include <optional>
#include <string_view>
#include <sys/resource.h>
#include <thread>

namespace ringpost::server {
namespace {

/// The number that a text begins with. "max", and what cannot be read, is none.
std::optional<uint64_t> number_at(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  return number;
}

void lower(Machine& machine, uint64_t bytes, std::string limit) {
  if (bytes >= machine.memory_bytes) return;
  machine.memory_bytes = bytes;
  machine.memory_limit = std::move(limit);
}

void lower_to_file(Machine& machine, const std::string& file) {
  const auto text = io::read_file(file);
  if (!text) return;
  if (const auto bytes = number_at(*text)) lower(machine, *bytes, file);
}

void lower_to_machine(Machine& machine, const std::string& proc) {
  const auto text = io::read_file(proc + "/meminfo");
  constexpr std::string_view key = "MemTotal:";
  const size_t at = text ? text->find(key) : std::string::npos;
  if (at == std::string::npos) return;
  const size_t digits = text->find_first_not_of(' ', at + key.size());
  if (digits == std::string::npos) return;
  if (const auto kib = number_at(std::string_view{*text}.substr(digits))) {
    lower(machine, *kib << 10, "the machine's memory");
  }
}

/// A cgroup's limits, and those of all above it: each of them holds. In a container the root that
/// is seen may be the cgroup itself, and the path one that does not exist here.
void lower_to_cgroup(Machine& machine, const std::string& root, std::string path, bool is_v2) {
  while (true) {
    if (is_v2) {
      lower_to_file(machine, root + path + "/memory.max");
      lower_to_file(machine, root + path + "/memory.high");
    } else {
      lower_to_file(machine, root + path + "/memory.limit_in_bytes");
    }
    if (path.empty()) return;
    path.resize(path.rfind('/'));
  }
}

/// The lines of /proc/self/cgroup: `0::/path` of version 2, `4:memory:/path` of version 1.
void lower_to_cgroups(Machine& machine, const std::string& proc, const std::string& cgroups) {
  const auto text = io::read_file(proc + "/self/cgroup");
  std::string_view lines = text ? std::string_view{*text} : std::string_view{};
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(line.size() + 1, lines.size()));
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) continue;
    const std::string controllers =
        "," + std::string{line.substr(first + 1, second - first - 1)} + ",";
    std::string path{line.substr(second + 1)};
    if (!path.starts_with('/')) continue;
    if (path == "/") path.clear();
    if (controllers == ",,") {
      lower_to_cgroup(machine, cgroups, path, true);
      lower_to_cgroup(machine, cgroups + "/unified", path, true);
    } else if (controllers.find(",memory,") != std::string::npos) {
      lower_to_cgroup(machine, cgroups + "/memory", path, false);
    }
  }
}

}  // namespace

void read_memory_limits(const std::string& proc, const std::string& cgroups, Machine& machine) {
  machine.memory_bytes = std::numeric_limits<uint64_t>::max();
  lower_to_machine(machine, proc);
  lower_to_cgroups(machine, proc, cgroups);
}

namespace {

/// Of its address space a process uses much that is never memory: stacks, libraries, what the
/// allocator reserves.
constexpr rlim_t address_space_overhead = 224u << 20;

}  // namespace

bool is_set(WallTime clock) {
  constexpr int64_t start_of_2025_s = 1'735'689'600;
  return to_unix_ns(clock) / 1'000'000'000 >= start_of_2025_s;
}

Machine this_machine() {
  Machine machine;
  read_memory_limits("/proc", "/sys/fs/cgroup", machine);
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    lower(machine, limit.rlim_cur - std::min<rlim_t>(limit.rlim_cur, address_space_overhead),
          "the limit of its address space (ulimit -v), less the 224 MiB that stacks and libraries "
          "take");
  }
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) machine.descriptors = limit.rlim_cur;
  machine.cores = std::max(1u, std::thread::hardware_concurrency());
  return machine;
}

}  // namespace ringpost::server
