#include "sink/behaviour.h"

#include "http/serialiser.h"
#include "http/syntax.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace ringpost::sink {
namespace {

constexpr Duration delay_max = std::chrono::hours{1};

constexpr std::array<std::string_view, std::size(all_faults)> fault_names{
    "none", "reset", "hang", "drip", "endless", "huge", "cut"};

/// In (0, 1]: its logarithm is finite.
double uniform(Prng& random) {
  constexpr double steps = 1ull << 53;
  return (static_cast<double>(random.below(uint64_t{1} << 53)) + 1) / steps;
}

/// Box and Muller, 1958.
double normal(Prng& random) {
  const double radius = std::sqrt(-2 * std::log(uniform(random)));
  return radius * std::cos(2 * std::numbers::pi * uniform(random));
}

Duration times(Duration length, double factor) {
  const double ns = static_cast<double>(length.count()) * factor;
  if (ns >= static_cast<double>(delay_max.count())) return delay_max;
  return Duration{static_cast<int64_t>(ns)};
}

bool is_content_type(const std::string& header) {
  return http::equal_ignoring_case(std::string_view{header}.substr(0, header.find(':')),
                                   "content-type");
}

}  // namespace

std::string_view name(Fault fault) {
  return fault_names[static_cast<size_t>(fault)];
}

bool is_answered(Fault fault) {
  return fault == Fault::none || fault == Fault::drip;
}

std::optional<Fault> find_fault(std::string_view name) {
  const auto found = std::ranges::find(fault_names, name);
  if (found == fault_names.end()) return std::nullopt;
  return all_faults[found - fault_names.begin()];
}

Duration Delay::draw(Prng& random) const {
  switch (kind) {
    case Kind::fixed: return first;
    case Kind::uniform:
      return Duration{static_cast<int64_t>(random.between(static_cast<uint64_t>(first.count()),
                                                          static_cast<uint64_t>(second.count())))};
    case Kind::exponential: return times(first, -std::log(uniform(random)));
    case Kind::lognormal: {
      constexpr double normal_p99 = 2.3263478740408408;
      const double ratio = static_cast<double>(second.count()) / static_cast<double>(first.count());
      return times(first, std::exp(std::log(ratio) / normal_p99 * normal(random)));
    }
  }
  RINGPOST_UNREACHABLE();
}

uint16_t Behaviour::draw_status(Prng& random) const {
  if (statuses.size() == 1) return statuses.front().status;
  uint64_t total = 0;
  for (const StatusShare& share : statuses) total += share.weight;
  uint64_t left = random.below(total);
  for (const StatusShare& share : statuses) {
    if (left < share.weight) return share.status;
    left -= share.weight;
  }
  RINGPOST_UNREACHABLE();
}

Fault Behaviour::draw_fault(Prng& random) const {
  if (fault == Fault::none || fault_share >= 1) return fault;
  return uniform(random) <= fault_share ? fault : Fault::none;
}

std::string Behaviour::answer(uint16_t status) const {
  std::string text = "HTTP/1.1 " + std::to_string(status) + " " +
                     std::string(http::reason_phrase(status)) + "\r\n";
  for (const std::string& header : headers) text += header + "\r\n";
  if (retry_after && (status == 429 || status == 503)) {
    text += "Retry-After: " + std::to_string(*retry_after) + "\r\n";
  }
  if (status == 204 || status == 304) return text + "\r\n";
  if (std::ranges::none_of(headers, is_content_type)) text += "Content-Type: text/plain\r\n";
  return text + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace ringpost::sink
