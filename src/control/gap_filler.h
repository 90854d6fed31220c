#pragma once

#include "control/git_links.h"
#include "control/git_source_registry.h"
#include "control/host_talk.h"
#include "githost/deliveries.h"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::control {

/// What may be changed while it runs.
struct GapSettings {
  Duration interval = std::chrono::minutes(5);  ///< From reading to reading; zero: never.
  uint32_t asks_per_minute = 5;                 ///< Of one source; GitLab takes no more.
  /// How long an event is known after it came (ingest.idempotency_window). What is older is not
  /// asked for: it may have come.
  Duration window = std::chrono::hours(24);
};

/// Whether an event with this id, of this source, came within the window. From any thread.
using IsKnown = std::function<bool(std::string_view organization, std::string_view source,
                                   std::string_view id, Instant now)>;

/// Finds what the hosts of registered git sources sent and what did not come, and asks the hosts
/// for it: reads each host's own log at the start and on a schedule. A host that is away or wants
/// fewer calls is left alone for growing times. Nobody waits for any of this.
class GapFiller {
 public:
  static constexpr uint32_t asks_max = 3;    ///< Of one delivery.
  static constexpr size_t readings_max = 4;  ///< Logs that are read at one time.
  static constexpr Duration pause_max = std::chrono::hours(1);
  /// How long what was asked for may take to come before it is asked for again.
  static constexpr Duration patience = std::chrono::minutes(5);
  /// GitHub keeps its log for so long.
  static constexpr Duration log_length = std::chrono::hours(72);

  /// All borrowed; they outlive it.
  struct Parts {
    GitLinks& links;
    const GitSourceRegistry& sources;
  };

  GapFiller(const Parts& parts, HostCaller caller, IsKnown is_known, std::function<void()> wake)
      : parts_(parts), is_known_(std::move(is_known)), talk_(std::move(caller), std::move(wake)) {}

  void set(const GapSettings& settings) {
    settings_ = settings;
    due_ = Instant{};
  }

  /// One bounded piece of work; may change the store. Only while everything in it is durable.
  void step(WallTime wall_now, Instant now);
  /// When there is something to do without an answer of a host; nothing: never.
  std::optional<Instant> due() const { return talk_.has_answers() ? now_ : due_; }

  /// How the reading of a source's log goes.
  struct State {
    bool has_log = true;  ///< False: the host's API shows none.
    bool is_on = false;
    std::string problem;       ///< Why the last reading failed, a sentence; empty: it did not.
    std::string not_searched;  ///< What of the log the last reading could not use; empty: nothing.
  };
  State state(const subscription::GitSource& source) const;

 private:
  struct Watch {
    Instant due{};                              ///< Of the next reading.
    Instant ask_due{};                          ///< Of the next call that asks for a delivery.
    std::optional<githost::DeliveryLog> log{};  ///< While it is read.
    WallTime begun{};                           ///< The reading.
    std::string asking;                         ///< The delivery that is asked for.
    uint64_t call = 0;                          ///< Under way; 0: none.
    uint32_t failures = 0;
    std::string problem;
    std::string not_searched;
  };
  /// What the log says of one delivery: all calls of it together.
  struct Sent {
    std::string id;
    std::string number;  ///< Of the newest call.
    std::string event;
    WallTime at{};  ///< Of the oldest.
    uint16_t status = 0;
    bool accepted = false;
  };

  const subscription::GitSource* source_of(const GitLink& link) const;
  bool is_watched(const GitLink& link) const;
  void go_on(const GitLink& link, Watch& watch, WallTime wall_now, Instant now);
  void read(const GitLink& link, Watch& watch, WallTime wall_now);
  void on_answer(uint32_t number, Watch& watch, const HostAnswer& answer, WallTime wall_now,
                 Instant now);
  void on_page(const GitLink& link, Watch& watch, const HostAnswer& answer, WallTime wall_now,
               Instant now);
  void on_asked(const GitLink& link, Watch& watch, const HostAnswer& answer, WallTime wall_now,
                Instant now);
  void compare(const GitLink& link, Watch& watch, WallTime wall_now);
  void tell_not_searched(const GitLink& link, Watch& watch) const;
  std::vector<Sent> sent_of(const githost::DeliveryLog& log) const;
  std::optional<GitGap> judge(const GitLink& link, const Sent& sent, bool others_known,
                              WallTime wall_now) const;
  std::optional<GitGap> judge_known_gap(const GitLink& link, GitGap gap, const Sent* sent,
                                        WallTime wall_now) const;
  bool came(const GitLink& link, std::string_view delivery) const;
  bool has_changed();
  size_t readings() const;
  std::optional<Instant> next_due() const;
  void ask(const GitLink& link, Watch& watch, GitGap gap, WallTime wall_now, Instant now);
  void pause(const GitLink& link, Watch& watch, const githost::Failure& failure, Instant now);
  void keep(GitGap gap);

  const Parts parts_;
  const IsKnown is_known_;
  HostTalk talk_;
  GapSettings settings_;
  std::map<uint32_t, Watch> watches_;  // By number of the source.
  Instant now_{};
  std::optional<Instant> due_ = Instant{};
  uint64_t seen_links_ = 0;    // The version of the links that `due_` was made of.
  uint64_t seen_sources_ = 0;  // The same of the sources.
};

}  // namespace ringpost::control
