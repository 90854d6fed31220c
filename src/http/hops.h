#pragma once

#include "http/message.h"
#include "http/problem.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace ringpost::http {

/// How often what a request carries went through a relay. Each delivery says so, so that a circle
/// of relays and webhooks ends, whatever path or proxy it leads through.
inline constexpr std::string_view hops_header = "ringpost-hops";
/// Relays in a row: a chain on purpose has two or three.
inline constexpr uint32_t hops_max = 8;

/// Sets `hops` to the count of `request`: 0 if it did not come from a relay, 1 if it came from one
/// that says no more than its `ringpost-delivery`.
/// @returns 400 if the header is no count, 508 (`urn:ringpost:loop`) if it is above `hops_max`.
std::optional<Problem> read_hops(const Request& request, uint32_t& hops);

}  // namespace ringpost::http
