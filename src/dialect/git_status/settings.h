#pragma once

#include "api/problem.h"
#include "base/json_writer.h"
#include "dialect/git_status/hosts.h"
#include "subscription/webhook.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ringpost::dialect::git_status {

/// What a webhook of this dialect has beyond others: in Webhook::settings as JSON.
struct Settings {
  /// The texts that may have values of the event in them (TextTemplate).
  enum class Text : uint8_t { repository, commit, context, description, target_url };
  static constexpr std::array<std::string_view, 5> text_names{"repository", "commit", "context",
                                                              "description", "target_url"};

  std::optional<Host> host;
  std::array<std::string, text_names.size()> texts;  ///< Empty: what the event says.

  const std::string& text(Text which) const { return texts[static_cast<size_t>(which)]; }

  /// Of a stored webhook: they were checked when they were stored.
  static Settings of(const subscription::Webhook& webhook);
  /// Takes over what `json` says, by the rules of merge patch; a refusal names `settings.…`.
  std::optional<api::Problem> merge(std::string_view json);
  void write(JsonWriter& json) const;
};

}  // namespace ringpost::dialect::git_status
