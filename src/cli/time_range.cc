#include "cli/time_range.h"

#include "base/duration.h"

namespace ringpost::cli {
namespace {

void add_time(CLI::App& command, const char* name, std::string& time, const std::string& help) {
  command.add_option(name, time, help)->type_name("TIME")->transform([](const std::string& text) {
    return time_from(text, std::chrono::system_clock::now());
  });
}

}  // namespace

std::string time_from(const std::string& text, WallTime now) {
  if (const auto ago = parse_duration(text)) return to_rfc3339(now - *ago);
  const std::string day = text + "T00:00:00Z";
  return parse_rfc3339(day) ? day : text;
}

void add_time_range(CLI::App& command, std::string& since, std::string& until,
                    const std::string& what) {
  add_time(command, "--since", since,
           what + " from this time on: RFC 3339, a day (UTC), or how long ago, e.g. 2h");
  add_time(command, "--until", until, what + " before this time");
}

}  // namespace ringpost::cli
