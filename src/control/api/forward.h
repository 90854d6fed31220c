#pragma once

#include "api/answer.h"
#include "api/call.h"
#include "base/json_writer.h"
#include "control/forward.h"

namespace ringpost::control {

/// As `GET /v1/forward` and `GET /v1/status` show it.
void write_forward(JsonWriter& json, const ForwardStatus& status);

/// `GET /v1/forward`.
api::Answer show_forward(const ForwardStatus& status);
/// `GET /v1/forward/set-aside`. Blocks on the store.
api::Answer list_set_aside(const api::Call& call, Forward& forward);
/// `POST /v1/forward/set-aside/send-again`. Blocks on the store.
api::Answer send_set_aside_again(const api::Call& call, Forward& forward);
/// `DELETE /v1/forward/set-aside`. Blocks on the store.
api::Answer drop_set_aside(const api::Call& call, Forward& forward);

}  // namespace ringpost::control
