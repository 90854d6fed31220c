#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "subscription/webhook.h"

#include <cstdint>
#include <optional>
#include <unordered_map>

namespace ringpost::control {

/// What a webhook's receiver said of requests to come.
struct ReceiverNote {
  WallTime paused_until{};       ///< Nothing is sent before; the epoch: no pause.
  bool permitted = false;        ///< It was asked and agreed (Dialect::asks_first).
  std::optional<Error> why_not;  ///< It was asked, and did not agree or did not answer.
};

/// What the shards told of receivers since the relay started, to be shown. The shards keep
/// their own account (delivery::Standing) and use that.
///
/// An entry for each webhook whose receiver was asked, or asked for a pause.
class ReceiverNotes {
 public:
  void on_pause(uint32_t webhook_number, WallTime until);
  void on_permission(uint32_t webhook_number, const std::optional<Error>& why_not);
  /// A change makes a permission void, and another URL or the end of sending a pause.
  void on_change(const subscription::Webhook& before, const subscription::Webhook& after);
  void forget(uint32_t webhook_number) { notes_.erase(webhook_number); }

  /// The state at `now`: without a pause that has ended.
  ReceiverNote of(uint32_t webhook_number, WallTime now) const;

 private:
  std::unordered_map<uint32_t, ReceiverNote> notes_;
};

}  // namespace ringpost::control
