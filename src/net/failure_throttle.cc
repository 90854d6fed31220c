#include "net/failure_throttle.h"

#include "base/log.h"

#include <array>
#include <string>

namespace ringpost::net {

std::optional<uint64_t> source_key(const io::Address& peer, const HashKey& key) {
  constexpr std::array<uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  const std::span<const uint8_t> ip{peer.ip};
  switch (peer.family) {
    case io::Address::Family::unix_path: return std::nullopt;
    case io::Address::Family::ipv4: return siphash(key, std::as_bytes(ip.first(4)));
    case io::Address::Family::ipv6:
      // RFC 4291, 2.5.5.2: an IPv4 peer of a listener for both.
      if (std::equal(mapped.begin(), mapped.end(), ip.begin())) {
        return siphash(key, std::as_bytes(ip.last(4)));
      }
      return siphash(key, std::as_bytes(ip.first(8)));
  }
  RINGPOST_UNREACHABLE();
}

uint32_t FailureThrottle::on_failure(const io::Address& peer, Instant now) {
  log_failure(peer, now);
  const auto key = source_key(peer, key_);
  if (!key) return 0;
  const Duration wait = limiter_.wait(*key, now);
  if (wait == Duration{}) {
    limiter_.take(*key, now);
    return 0;
  }
  return static_cast<uint32_t>(std::chrono::ceil<std::chrono::seconds>(wait).count());
}

void FailureThrottle::log_failure(const io::Address& peer, Instant now) {
  ++unlogged_;
  if (logged_at_ && now - *logged_at_ < log_interval) return;
  log_warning("requests with an invalid token since the last message: " +
              std::to_string(unlogged_) + ", the latest from " + peer.to_text());
  unlogged_ = 0;
  logged_at_ = now;
}

}  // namespace ringpost::net
