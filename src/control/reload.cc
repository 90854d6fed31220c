#include "control/reload.h"

#include "base/log.h"

#include <algorithm>
#include <utility>

namespace ringpost::control {

std::string ConfigProblem::to_text() const {
  std::string place = file;
  if (line != 0) place += ":" + std::to_string(line) + ":" + std::to_string(column);
  return place.empty() ? text : place + ": " + text;
}

void ConfigProblem::write(JsonWriter& json) const {
  json.begin_object().member("file", file).member("line", line).member("column", column);
  json.member("text", text).end_object();
}

Reloads::Reloads(Post& post, uint32_t shard_count, Reload reload, std::function<void()> done)
    : post_(post), reload_(std::move(reload)), done_(std::move(done)), seen_(shard_count) {}

ReloadOutcome Reloads::run(WallTime now) {
  ReloadOutcome outcome = reload_ ? reload_() : ReloadOutcome{};
  if (!outcome.problems.empty()) {
    note_refusal(outcome.problems, now);
    if (done_) done_();
    return outcome;
  }
  arriving_ = LastReload{.at = now, .problem = {}, .needs_restart = outcome.needs_restart};
  for (const std::string& key : outcome.needs_restart) {
    log_warning("configuration reloaded: the new value of " + key +
                " takes effect after a restart");
  }
  std::string changed;
  for (const std::string& key : outcome.changed) changed += (changed.empty() ? "" : ", ") + key;
  log_info("configuration reloaded; changed: " + (changed.empty() ? "nothing" : changed));
  ++version_;
  for (uint32_t shard = 0; shard < seen_.size(); ++shard) {
    post_.send(shard, SettingsPublished{version_});
  }
  return outcome;
}

void Reloads::note_refusal(const std::vector<ConfigProblem>& problems, WallTime now) {
  if (arriving_) last_ = std::exchange(arriving_, std::nullopt);
  if (!last_) last_.emplace();
  last_->at = now;
  last_->problem = problems.front().to_text();
  const size_t told = std::min(problems.size(), problems_told_max);
  for (size_t index = 0; index < told; ++index) {
    log_error("configuration not reloaded: " + problems[index].to_text());
  }
  if (told < problems.size()) {
    log_error("configuration not reloaded: " + std::to_string(problems.size() - told) +
              " more problems");
  }
}

void Reloads::send_when_seen(uint32_t shard, ApiReply reply) {
  waiting_.push_back({version_, shard, std::move(reply)});
  answer();
}

void Reloads::on_seen(uint32_t shard, uint64_t version) {
  seen_[shard] = std::max(seen_[shard], version);
  answer();
}

/// What was reloaded last is in force everywhere.
void Reloads::settle() {
  last_ = std::exchange(arriving_, std::nullopt);
  if (done_) done_();
}

void Reloads::answer() {
  const uint64_t everywhere = *std::min_element(seen_.begin(), seen_.end());
  if (arriving_ && version_ <= everywhere) settle();
  while (!waiting_.empty() && waiting_.front().version <= everywhere) {
    post_.send(waiting_.front().shard, std::move(waiting_.front().reply));
    waiting_.pop_front();
  }
}

}  // namespace ringpost::control
