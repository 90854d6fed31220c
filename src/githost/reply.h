#pragma once

#include "base/clock.h"
#include "githost/host_api.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ringpost::githost {

/// What the host answered. Borrows.
struct Reply {
  uint16_t status = 0;
  std::string_view head;  ///< Lines `Name: value`; how they end does not matter.
  std::string_view body;

  /// The value of the first header of this name, of any case; empty if there is none.
  std::string_view header(std::string_view name) const;
  bool is_success() const { return status >= 200 && status < 300; }
};

/// Why a call did not do what it was for.
struct Failure {
  std::string text;  ///< A sentence, without its capital and full stop, for those who can mend it.
  std::optional<Duration> retry_after{};  ///< How long the host wants to be left alone.
  /// Trying again is of no use before somebody has changed something.
  bool lasting = false;
};

/// Nothing if the reply is a success.
std::optional<Failure> failure_of(GitHost host, const Reply& reply, WallTime now);
/// Of an answer of which only a part was read.
Failure too_large(GitHost host);
/// Of an answer that is not what the host's documents say.
Failure not_understood(GitHost host, std::string_view what);

/// The URL of the list's page that a Link header calls the next one; empty if none.
std::string next_page(std::string_view list_url, const Reply& reply);
/// The page of a list that the host calls so. Only its query is used: the host may know itself by
/// another name than the relay does, and the token goes nowhere else than before.
std::string page_at(std::string_view list_url, std::string_view host_url);

}  // namespace ringpost::githost
