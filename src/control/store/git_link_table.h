#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "base/ulid.h"
#include "control/store/sealer.h"
#include "control/store/sqlite.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace ringpost::control {

/// The repository that a git source belongs to, and what became of the source's webhook there.
struct GitLink {
  uint32_t source = 0;  ///< The git source's number.
  Ulid source_id;
  std::string url;    ///< Of the repository.
  std::string token;  ///< For the host's API.
  std::string hook;   ///< The webhook's id at the host; empty: none is known.
  /// The host may not have the source's secret yet, but the one before.
  bool secret_pending = false;
  WallTime registered_at{};
  std::string result;   ///< Of the last registration, a sentence; empty: there was none.
  bool failed = false;  ///< The same.
  WallTime result_at{};
  // How far the host's log of calls is read (githost::DeliveryLog).
  std::string log_number;  ///< Of the newest call that was looked at; empty: of none.
  WallTime log_read_at{};
};

enum class GapState : uint8_t {
  open,      ///< To be asked for.
  asked,     ///< Asked for; it did not come yet.
  filled,    ///< It came.
  given_up,  ///< It was asked for as often as may be, or the host refuses.
  too_old    ///< Nobody knows whether it came, so it is not asked for.
};
std::string_view name(GapState state);
constexpr bool is_over(GapState state) {
  return state != GapState::open && state != GapState::asked;
}

/// A delivery that a host sent and that did not come, as far as anybody knows.
struct GitGap {
  uint32_t source = 0;
  std::string delivery;  ///< The id that the host sends with it.
  std::string number;    ///< The host's number of the newest call of it.
  std::string event;     ///< The host's name for it.
  WallTime at{};         ///< When it was sent; zero: the host does not say.
  uint16_t status = 0;   ///< What was answered, says the host; 0: nothing in time.
  GapState state = GapState::open;
  uint32_t asks = 0;
  WallTime asked_at{};
  WallTime found_at{};
  std::string detail;  ///< Why it is over, a sentence; may be empty.
};

/// Names of the columns of `git_link` that hold sealed values, as `sealed_webhook_columns`.
std::span<const std::string_view> sealed_git_link_columns();
/// As `webhook_place`.
inline Sealer::Place git_link_place(std::string_view column, std::string_view id) {
  return {.table = "git_link", .column = column, .row = id};
}

/// The tables `git_link` and `git_gap` of the control store. Part of Store: see there for threads
/// and durability.
class GitLinkTable {
 public:
  /// @param sealer  outlives this.
  Result<void> prepare(Database& database, const Sealer& sealer);

  /// Puts it in the place of the one of this source, if there is one.
  Result<void> put(const GitLink& link);
  /// And its gaps. Nothing happens if there is none.
  Result<void> remove(uint32_t source);
  /// Puts it in the place of the one of this source and delivery, if there is one.
  Result<void> put_gap(const GitGap& gap);
  Result<void> remove_gap(uint32_t source, std::string_view delivery);

  /// By rising number of the source. @returns Errc::corrupt at a row that cannot be used.
  Result<void> load(const std::function<void(GitLink&&)>& visit);
  /// Likewise, and the oldest first.
  Result<void> load_gaps(const std::function<void(GitGap&&)>& visit);

 private:
  Database* database_ = nullptr;  // The store's; outlives this. So does the sealer.
  const Sealer* sealer_ = nullptr;
  Statement put_;
  Statement remove_;
  Statement put_gap_;
  Statement remove_gap_;
  Statement remove_gaps_;
};

}  // namespace ringpost::control
