#pragma once

#include "api/problem.h"
#include "base/json_writer.h"
#include "dialect/renderer.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace ringpost::dialect::cloudevents {

/// How a webhook of this dialect sends. In Webhook::settings as JSON.
struct Settings {
  enum class Mode : uint8_t { structured, binary };

  Mode mode = Mode::structured;
  bool handshake = true;  ///< Ask for permission before the first delivery.

  /// Of a stored webhook: they were checked when they were stored.
  static Settings of(const subscription::Webhook& webhook);
  /// Takes over what `json` says, by the rules of merge patch; a refusal names `settings.…`.
  std::optional<api::Problem> merge(std::string_view json);
  void write(JsonWriter& json) const;
};

/// The largest head that goes out: beyond what servers take, a delivery could not succeed.
inline constexpr size_t head_bytes_max = 32 * 1024;

std::unique_ptr<Renderer> make_renderer(const subscription::Webhook& webhook);

}  // namespace ringpost::dialect::cloudevents
