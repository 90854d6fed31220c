#pragma once

#include "base/clock.h"
#include "control/messages.h"
#include "control/otlp.h"
#include "journal/record.h"
#include "subscription/webhook.h"

namespace ringpost::control {

// What the relay's spans say (control/README.md, "Tracing"). Of attributes they have those of
// OpenTelemetry's conventions, and more that begin with `ringpost.`.

/// From the event's acceptance until it was durable. Its context says whether it is sampled.
OtlpSpan span_of(const journal::EventView& event, WallTime durable_at, double sample_ratio);

/// @param webhook  null: deleted meanwhile.
OtlpSpan span_of(const AttemptTraced& attempt, const subscription::Webhook* webhook,
                 double sample_ratio);

}  // namespace ringpost::control
