#include "control/dead_letter_log.h"

#include "base/log.h"
#include "net/tls.h"

#include <algorithm>
#include <string>
#include <utility>

namespace ringpost::control {
namespace {

/// Many webhooks' minutes end within one second: they are looked at together.
constexpr Duration step_interval = std::chrono::seconds{1};

std::string deliveries(uint64_t count) {
  return std::to_string(count) + (count == 1 ? " more delivery" : " more deliveries");
}

void log_first(const DeadLetterLog::Death& death) {
  const std::string attempts =
      std::to_string(death.attempts) + (death.attempts == 1 ? " attempt" : " attempts");
  log_warning("webhook " + death.webhook.to_text() + ": a delivery failed for good after " +
              attempts + ": " + net::describe_tls(death.error) + "; see `ringpost delivery show " +
              death.delivery.to_text() + "`");
}

void log_count(const Ulid& webhook, uint64_t count) {
  log_warning("webhook " + webhook.to_text() + ": " + deliveries(count) +
              " failed for good in the last minute; see `ringpost delivery list " +
              webhook.to_text() + " --status dead`");
}

}  // namespace

void DeadLetterLog::on_death(const Death& death, Instant now) {
  const auto found = entries_.find(death.webhook_number);
  if (found != entries_.end()) {
    ++found->second.untold;
  } else if (entries_.size() < webhooks_max) {
    entries_[death.webhook_number] = {.webhook = death.webhook, .told_at = now};
    log_first(death);
  } else if (++others_untold_ == 1) {
    others_told_at_ = now;
  }
  want(now + interval);
}

/// The first of them all decides: what is due later is wanted when that has come.
void DeadLetterLog::want(Instant at) {
  due_ = std::min(due_.value_or(at), at);
}

void DeadLetterLog::step(Instant now) {
  if (!due_ || now < *due_) return;
  due_.reset();
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    auto& [webhook, untold, told_at] = entry->second;
    const bool over = now - told_at >= interval;
    if (over && untold == 0) {
      entry = entries_.erase(entry);
      continue;
    }
    if (over) {
      log_count(webhook, std::exchange(untold, 0));
      told_at = now;
    }
    want(std::max(told_at + interval, now + step_interval));
    ++entry;
  }
  tell_of_others(now);
}

void DeadLetterLog::tell_of_others(Instant now) {
  if (others_untold_ == 0) return;
  if (now - others_told_at_ < interval) return want(others_told_at_ + interval);
  log_warning(deliveries(std::exchange(others_untold_, 0)) +
              " of other webhooks failed for good in the last minute; see `ringpost status`");
}

}  // namespace ringpost::control
