#pragma once

#include "base/json_writer.h"
#include "control/journal_access.h"
#include "index/facts.h"
#include "journal/record.h"
#include "subscription/webhook.h"

#include <string>
#include <string_view>
#include <vector>

namespace ringpost::control {

using index::DeliveryFacts;

/// Bodies of one answer together. Every attempt sends the same body, and a redelivery of a large
/// event may have many: beyond this, earlier attempts show null.
inline constexpr size_t answer_bodies_bytes_max = 4 * 1024 * 1024;

/// What a delivery's object is made of. `webhook` is nullptr if it was deleted.
struct DeliveryParts {
  const DeliveryFacts& facts;
  const journal::EventView& event;
  const subscription::Webhook* webhook = nullptr;
  WallTime now{};           ///< For times to come, which are shown no later than they can be.
  WallTime paused_until{};  ///< The receiver wants nothing before; the epoch: no pause.
};

/// Members of a delivery without its attempts; the object stays open.
void begin_delivery(JsonWriter& json, const DeliveryParts& parts);
/// `attempts`: one object each, oldest first. A record that is gone or damaged shows as an attempt
/// with an error of ours instead; an attempt whose end was never written down, as `cancelled`.
void write_attempts(JsonWriter& json, const DeliveryParts& parts,
                    const std::vector<Result<JournalAccess::StoredOutcome>>& outcomes);
/// `last_attempt`: what a list shows of the newest attempt; null without one.
void write_last_attempt(JsonWriter& json, const DeliveryFacts& facts,
                        const journal::OutcomeView* outcome);
/// `event`: id, type and source.
void write_event_reference(JsonWriter& json, const journal::EventView& event);

}  // namespace ringpost::control
