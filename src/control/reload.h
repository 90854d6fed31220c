#pragma once

#include "base/clock.h"
#include "base/json_writer.h"
#include "control/messages.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace ringpost::control {

/// What is wrong with a configuration, where, and how to mend it. `line` and `column` count from 1;
/// 0 without a place.
struct ConfigProblem {
  std::string file;  ///< Or the option of the command line.
  uint32_t line = 0;
  uint32_t column = 0;
  std::string text;

  /// `ringpost.toml:12:5: …`
  std::string to_text() const;
  /// As an object: `{"file":"ringpost.toml","line":12,"column":5,"text":"…"}`.
  void write(JsonWriter& json) const;
};

/// A key of the configuration as it is in force, for people.
struct ConfigValue {
  std::string key;     ///< `log.level`.
  std::string value;   ///< As the file writes it, secrets masked; a list with commas.
  bool given = false;  ///< By the file or the command line; otherwise it is the default, perhaps
                       ///< fitted to the memory.
  bool takes_reload = false;  ///< Otherwise a new value needs a restart.
};

/// What a reload of the configuration came to: all of it, or nothing.
struct ReloadOutcome {
  std::vector<ConfigProblem> problems;     ///< Empty: all that can be in effect is.
  std::vector<std::string> changed;        ///< Keys whose new value is in force: `log.level`.
  std::vector<std::string> needs_restart;  ///< Keys whose value in the file needs a restart.
};

/// Reads the configuration again. With problems it has changed nothing; else everything but what
/// the shards use themselves, which they fetch when they hear of it (SettingsPublished).
using Reload = std::function<ReloadOutcome()>;

/// The last completed reload, for `GET /v1/status`: refused, or in force on every shard.
struct LastReload {
  WallTime at{};
  std::string problem;                     ///< The first; empty: it went through.
  std::vector<std::string> needs_restart;  ///< As of the last one that went through.
};

/// Reloads of the configuration: carries them out, tells the log and the shards, and keeps back the
/// answers until every shard uses the new settings.
class Reloads {
 public:
  /// Of further problems only the count is logged.
  static constexpr size_t problems_told_max = 100;

  /// @param post  must outlive it. @param reload  may be empty: there is nothing to read.
  /// @param done  runs when a reload was refused, or its settings are in force on every shard; once
  ///              for those that follow each other more quickly than that. May be empty.
  Reloads(Post& post, uint32_t shard_count, Reload reload, std::function<void()> done);

  /// One reload. Blocks on files. Each problem is a line in the log.
  ReloadOutcome run(WallTime now);
  /// Sends `reply` to `shard` once every shard has the settings of the last `run`.
  void send_when_seen(uint32_t shard, ApiReply reply);
  void on_seen(uint32_t shard, uint64_t version);

  const std::optional<LastReload>& last() const { return last_; }

 private:
  struct Waiting {
    uint64_t version = 0;
    uint32_t shard = 0;
    ApiReply reply;
  };

  void settle();
  void note_refusal(const std::vector<ConfigProblem>& problems, WallTime now);
  void answer();

  Post& post_;
  const Reload reload_;
  const std::function<void()> done_;
  std::vector<uint64_t> seen_;  // By shard.
  uint64_t version_ = 0;        // Of the settings that were published last.
  std::deque<Waiting> waiting_;
  std::optional<LastReload> last_;
  std::optional<LastReload> arriving_;  // Not on every shard yet; then it is the last.
};

}  // namespace ringpost::control
