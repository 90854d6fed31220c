#include "load/schedule.h"

#include "base/duration.h"
#include "cli/text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

namespace ringpost::load {
namespace {

constexpr double rate_max = 10'000'000;

std::optional<double> parse_rate(std::string_view text) {
  double rate = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), rate);
  if (fault != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (!(rate >= 0) || rate > rate_max) return std::nullopt;
  return rate;
}

std::optional<Stage> parse_stage(std::string_view text, double seconds) {
  Stage stage{.seconds = seconds};
  if (const size_t colon = text.find(':'); colon != std::string_view::npos) {
    const auto span = parse_duration(text.substr(colon + 1));
    if (!span || span->count() == 0) return std::nullopt;
    stage.seconds = std::chrono::duration<double>(*span).count();
    text = text.substr(0, colon);
  }
  const size_t dash = text.find('-');
  const auto from = parse_rate(text.substr(0, dash));
  const auto to = dash == std::string_view::npos ? from : parse_rate(text.substr(dash + 1));
  if (!from || !to || (std::isinf(stage.seconds) && *from != *to)) return std::nullopt;
  stage.rate_from = *from;
  stage.rate_to = *to;
  return stage;
}

}  // namespace

cli::Usable<std::vector<Stage>> parse_stages(std::string_view text, double seconds) {
  std::vector<Stage> stages;
  double total = 0;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view part = text.substr(begin, end - begin);
    const auto stage = parse_stage(part, seconds);
    if (!stage) {
      return cli::UsageProblem{
          cli::shown(part) +
          " must be a rate a second up to 10,000,000 (500), a ramp (100-1000), or either with its "
          "time (500:30s); a ramp needs an end"};
    }
    stages.push_back(*stage);
    total += stage->total();
    begin = end + 1;
  }
  if (!(total > 0)) return cli::UsageProblem{"the rate must be greater than 0"};
  return stages;
}

Schedule::Schedule(std::vector<Stage> stages, Arrivals arrivals, double per_send, uint64_t seed)
    : stages_(std::move(stages)), arrivals_(arrivals), random_(seed) {
  for (Stage& stage : stages_) {
    stage.rate_from /= per_send;
    stage.rate_to /= per_send;
    seconds_ += stage.seconds;
    if (stage.rate_from + stage.rate_to > 0) total_ += stage.total();
  }
  find_due();
}

Schedule::Schedule(std::shared_ptr<const std::vector<Duration>> times) : times_(std::move(times)) {
  total_ = static_cast<double>(times_->size());
  if (!times_->empty()) {
    seconds_ = std::chrono::duration<double>(times_->back()).count();
    due_ = times_->front();
  }
}

void Schedule::advance() {
  if (times_ != nullptr) {
    ++next_time_;
    due_ = next_time_ < times_->size() ? std::optional{(*times_)[next_time_]} : std::nullopt;
    return;
  }
  if (arrivals_ == Arrivals::even) {
    reached_ += 1;
  } else {
    const auto uniform = static_cast<double>(random_.next() >> 11) * 0x1p-53;
    reached_ -= std::log1p(-uniform);
  }
  find_due();
}

/// The time at which as many sends are due as `reached_` says: the integral of the rate, solved for
/// the time.
void Schedule::find_due() {
  due_.reset();
  for (; stage_ < stages_.size(); ++stage_) {
    const Stage& stage = stages_[stage_];
    const bool still = stage.rate_from + stage.rate_to <= 0;
    const double within = reached_ - before_stage_;
    if (!still && within < stage.total()) {
      const double slope =
          std::isinf(stage.seconds) ? 0 : (stage.rate_to - stage.rate_from) / stage.seconds;
      const double root =
          std::sqrt(std::max(stage.rate_from * stage.rate_from + 2 * slope * within, 0.0));
      const double seconds = within == 0 ? 0 : 2 * within / (stage.rate_from + root);
      due_ = Duration{static_cast<int64_t>((stage_begins_s_ + seconds) * 1e9)};
      return;
    }
    if (!still) before_stage_ += stage.total();
    stage_begins_s_ += stage.seconds;
  }
}

}  // namespace ringpost::load
