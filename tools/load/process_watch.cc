#include "load/process_watch.h"

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>
#include <sys/utsname.h>
#include <thread>
#include <unistd.h>

namespace ringpost::load {
namespace {

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

struct Look {
  double user_s = 0;  ///< In steps of a clock tick, likewise `system_s`.
  double system_s = 0;
  uint64_t resident_bytes = 0;
  std::string name;
};

/// proc(5): the name is in parentheses and may hold any byte; the fields after it begin with the
/// third, and utime, stime and rss are the 14th, 15th and 24th.
std::optional<Look> look_at(pid_t pid) {
  const std::string stat = read_text("/proc/" + std::to_string(pid) + "/stat");
  const size_t name_begins = stat.find('(');
  const size_t name_ends = stat.rfind(')');
  if (name_begins == std::string::npos || name_ends == std::string::npos) return std::nullopt;
  std::istringstream fields(stat.substr(name_ends + 1));
  std::vector<std::string> values;
  for (std::string value; fields >> value;) values.push_back(value);
  if (values.size() < 22 || values[0] == "Z") return std::nullopt;
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  return Look{.user_s = std::strtod(values[11].c_str(), nullptr) / ticks,
              .system_s = std::strtod(values[12].c_str(), nullptr) / ticks,
              .resident_bytes = std::strtoull(values[21].c_str(), nullptr, 10) * page,
              .name = stat.substr(name_begins + 1, name_ends - name_begins - 1)};
}

uint64_t count_descriptors(pid_t pid) {
  std::error_code fault;
  std::filesystem::directory_iterator entry("/proc/" + std::to_string(pid) + "/fd", fault);
  uint64_t count = 0;
  for (; !fault && entry != std::filesystem::directory_iterator{}; entry.increment(fault)) ++count;
  return fault ? 0 : count;
}

/// All of its threads, to the nanosecond; nothing if it has ended.
std::optional<double> cpu_used(pid_t pid) {
  clockid_t clock{};
  timespec used{};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) {
    return std::nullopt;
  }
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

}  // namespace

std::optional<ProcessWatch> ProcessWatch::begin(pid_t pid) {
  const auto look = look_at(pid);
  if (!look) return std::nullopt;
  ProcessWatch watch;
  watch.use_ = {.pid = pid, .name = look->name, .resident_bytes_first = look->resident_bytes};
  watch.first_ = {look->user_s, look->system_s, cpu_used(pid).value_or(0)};
  watch.look();
  return watch;
}

void ProcessWatch::look() {
  const auto look = look_at(use_.pid);
  const auto cpu_s = cpu_used(use_.pid);
  if (!look || !cpu_s) {
    use_.ended = true;
    return;
  }
  split(*cpu_s - first_.both_s, look->user_s - first_.user_s, look->system_s - first_.system_s);
  use_.resident_bytes_last = look->resident_bytes;
  use_.resident_bytes_max = std::max(use_.resident_bytes_max, look->resident_bytes);
  use_.descriptors_last = count_descriptors(use_.pid);
  use_.descriptors_max = std::max(use_.descriptors_max, use_.descriptors_last);
}

/// The sum is exact, and its parts are known in clock ticks: in a short run only their shares help.
void ProcessWatch::split(double both_s, double user_ticks_s, double system_ticks_s) {
  const double ticks_s = user_ticks_s + system_ticks_s;
  use_.user_s = ticks_s > 0 ? both_s * user_ticks_s / ticks_s : both_s;
  use_.system_s = both_s - use_.user_s;
}

Machine this_machine() {
  Machine machine{.cpus = std::thread::hardware_concurrency()};
  utsname system{};
  if (uname(&system) == 0) machine.kernel = std::string{system.sysname} + " " + system.release;
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("model name")) continue;
    machine.cpu = line.substr(std::min(line.find(": ") + 2, line.size()));
    break;
  }
  return machine;
}

}  // namespace ringpost::load
