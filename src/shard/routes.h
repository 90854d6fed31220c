#pragma once

#include "api/route.h"
#include "ingest/backend.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace ringpost::shard {

/// What a shard answers itself, without the control thread.
enum class OwnOperation : uint16_t {
  none,           ///< In no route: the control thread's, or nobody's.
  wrong_method,   ///< The path is ours, the method not.
  events_accept,  ///< At its path, or at the root of a listener for CloudEvents.
  call_accept,    ///< Of a git host.
  health_show,
  readiness_show,
};

/// The table of these but `call_accept`: paths without placeholders. ingest::Intake asks for the
/// scope.
std::span<const api::Route> own_routes();

struct OwnRoute {
  OwnOperation operation = OwnOperation::none;
  api::WrongMethod wrong;  ///< With `wrong_method`.
};

/// What a listener that serves `serves` takes the request for. Health is asked for on any.
OwnRoute own_route(std::string_view method, std::string_view path, const ingest::Serves& serves);

}  // namespace ringpost::shard
