#include "shard/recovered_pauses.h"

#include "api/logged_head.h"
#include "delivery/retry.h"

namespace ringpost::shard {

void RecoveredPauses::on_outcome(const journal::OutcomeView& outcome, WallTime now) {
  if (!delivery::may_pause(outcome.http_status)) return;
  const WallTime asked_at = outcome.started_at + outcome.duration;
  const auto wait = delivery::parse_retry_after(
      api::parse_logged_head(outcome.response_head).header("retry-after"), asked_at);
  if (!wait || asked_at + *wait <= now) return;
  Pause& pause = pauses_[outcome.webhook_number];
  if (asked_at + *wait <= pause.until) return;
  pause = {.asked_at = asked_at,
           .until = asked_at + *wait,
           .request_head = std::string{outcome.request_head}};
}

void RecoveredPauses::for_each(
    const subscription::Snapshot& snapshot,
    const std::function<void(const subscription::Webhook&, WallTime until)>& visit) const {
  for (const auto& [number, pause] : pauses_) {
    const subscription::Webhook* webhook = snapshot.webhook(number);
    if (webhook == nullptr || !webhook->active()) continue;
    const subscription::Destination& to = webhook->destination;
    const auto asked = api::parse_logged_head(pause.request_head).url(to.tls);
    if (webhook->updated_at <= pause.asked_at || asked == to.url) visit(*webhook, pause.until);
  }
}

}  // namespace ringpost::shard
