#include "control/gap_filler.h"

#include "base/log.h"
#include "incoming/receiver.h"

#include <algorithm>
#include <array>
#include <utility>

namespace ringpost::control {

using subscription::GitSource;

namespace {

/// A log that is read page by page may get its newest entries late.
constexpr auto log_overlap = std::chrono::minutes(10);

std::string source_name(const GitSource& source, const GitLink& link) {
  if (!incoming::app_of(source).empty()) return incoming::events_source_of(source);
  const auto repository = repository_of(source, link);
  return "repository/" + std::string{name(source.host)} + '/' +
         (repository ? repository->path : std::string{});
}

/// Calls that make no event.
bool is_ping(std::string_view event) {
  return event == "ping";
}

std::string gap_text(const GitLink& link, const GitGap& gap) {
  return "git source " + link.source_id.to_text() + ": delivery " + gap.delivery + " (" +
         gap.event + ")";
}

}  // namespace

const GitSource* GapFiller::source_of(const GitLink& link) const {
  return parts_.sources.find_number(link.source);
}

bool GapFiller::is_watched(const GitLink& link) const {
  const GitSource* source = source_of(link);
  return settings_.interval > Duration::zero() && source != nullptr && source->enabled &&
         !link.hook.empty() && githost::has_delivery_log(source->host);
}

GapFiller::State GapFiller::state(const GitSource& source) const {
  State state{.has_log = githost::has_delivery_log(source.host), .problem = {}, .not_searched = {}};
  const GitLink* link = parts_.links.find(source.number);
  state.is_on = link != nullptr && is_watched(*link);
  const auto watch = watches_.find(source.number);
  if (watch != watches_.end()) {
    state.problem = watch->second.problem;
    state.not_searched = watch->second.not_searched;
  }
  return state;
}

// step ─> answers ─┬─> a page ─> the next page, or: compare ─> gaps
//                  └─> asked ─> the gap
//      ─> each source that is due: read its log, or ask for its next gap

void GapFiller::step(WallTime wall_now, Instant now) {
  now_ = now;
  const bool is_due = due_ && now >= *due_;
  if (!has_changed() && !is_due && !talk_.has_answers()) return;
  while (auto answered = talk_.take()) {
    const auto watch = std::ranges::find_if(
        watches_, [&](const auto& each) { return each.second.call == answered->ticket; });
    if (watch == watches_.end()) continue;  // Its source is gone.
    watch->second.call = 0;
    on_answer(watch->first, watch->second, answered->answer, wall_now, now);
  }
  std::erase_if(watches_, [&](const auto& each) {
    const GitLink* link = parts_.links.find(each.first);
    return link == nullptr || (each.second.call == 0 && !is_watched(*link));
  });
  for (const auto& [number, link] : parts_.links.all()) {
    if (!is_watched(link)) continue;
    Watch& watch =
        watches_.try_emplace(number, Watch{.due = now, .asking = {}, .problem = {}}).first->second;
    go_on(link, watch, wall_now, now);
  }
  has_changed();
  due_ = next_due();
}

/// Whether a link or a source is another one than the last time.
bool GapFiller::has_changed() {
  const uint64_t links = parts_.links.version();
  const uint64_t sources = parts_.sources.version();
  const bool changed = links != seen_links_ || sources != seen_sources_;
  seen_links_ = links;
  seen_sources_ = sources;
  return changed;
}

size_t GapFiller::readings() const {
  return static_cast<size_t>(std::ranges::count_if(
      watches_, [](const auto& each) { return each.second.log.has_value(); }));
}

std::optional<Instant> GapFiller::next_due() const {
  std::optional<Instant> first;
  const auto add = [&first](Instant time) { first = std::min(first.value_or(time), time); };
  const bool may_read = readings() < readings_max;  // Else an answer comes first.
  for (const auto& [number, watch] : watches_) {
    const GitLink* link = parts_.links.find(number);
    if (link == nullptr || !is_watched(*link) || watch.call != 0) continue;
    if (may_read) add(watch.due);
    const bool asks = watch.failures == 0 && parts_.links.oldest_open(number) != nullptr;
    if (asks) add(watch.ask_due);
  }
  return first;
}

void GapFiller::go_on(const GitLink& link, Watch& watch, WallTime wall_now, Instant now) {
  if (watch.call != 0) return;
  if (watch.log) {
    watch.call = talk_.start(watch.log->request());
    return;
  }
  if (now >= watch.due && readings() < readings_max) {
    watch.due = now + settings_.interval;
    read(link, watch, wall_now);
  } else if (now >= watch.ask_due && watch.failures == 0) {
    const GitGap* gap = parts_.links.oldest_open(link.source);
    if (gap != nullptr) ask(link, watch, *gap, wall_now, now);
  }
}

void GapFiller::read(const GitLink& link, Watch& watch, WallTime wall_now) {
  const GitSource& source = *source_of(link);
  const auto repository = repository_of(source, link);
  if (!repository) return;
  WallTime from = std::max(link.registered_at, wall_now - log_length);
  if (link.log_read_at != WallTime{}) from = std::max(from, link.log_read_at - log_overlap);
  from = std::chrono::floor<std::chrono::seconds>(from);  // GitHub's times have no fractions.
  watch.begun = wall_now;
  watch.log.emplace(
      *repository, link.hook,
      githost::LogEnd{
          .before = from,
          .number = source.host == githost::GitHost::github ? std::string{} : link.log_number});
  watch.call = talk_.start(watch.log->request());
}

void GapFiller::on_answer(uint32_t number, Watch& watch, const HostAnswer& answer,
                          WallTime wall_now, Instant now) {
  const GitLink* link = parts_.links.find(number);
  if (link == nullptr || source_of(*link) == nullptr) return;
  if (watch.log) {
    on_page(*link, watch, answer, wall_now, now);
  } else {
    on_asked(*link, watch, answer, wall_now, now);
  }
}

void GapFiller::on_page(const GitLink& link, Watch& watch, const HostAnswer& answer,
                        WallTime wall_now, Instant now) {
  const auto repository = repository_of(*source_of(link), link);
  auto failure = repository
                     ? failure_of(*repository, answer, wall_now)
                     : githost::Failure{"the URL of the repository cannot be read", {}, true};
  if (!failure) failure = watch.log->add(answer.reply(), wall_now);
  if (failure) {
    watch.log.reset();
    pause(link, watch, *failure, now);
    return;
  }
  if (!watch.log->is_complete()) return;  // The next page follows in this step.
  if (std::exchange(watch.failures, 0) > 0) {
    log_info("git source " + link.source_id.to_text() +
             ": the log of its webhook can be read again");
  }
  watch.problem.clear();
  watch.due = now + settings_.interval;
  compare(link, watch, wall_now);
  watch.log.reset();
}

/// What the host's log has and nobody looked at is said, and not taken for complete.
void GapFiller::tell_not_searched(const GitLink& link, Watch& watch) const {
  std::string text;
  if (const size_t entries = watch.log->unreadable(); entries > 0) {
    text = std::to_string(entries) + (entries == 1 ? " entry" : " entries") +
           " of the host's log without a usable number or delivery id";
  }
  if (watch.log->is_cut()) {
    text += text.empty() ? "" : ", and ";
    text += "the calls before the newest pages of a log that is longer than is read at once";
  }
  if (text == std::exchange(watch.not_searched, text) || text.empty()) return;
  log_warning("git source " + link.source_id.to_text() + ": not looked at: " + text);
}

/// All calls of one delivery together, the oldest delivery first.
std::vector<GapFiller::Sent> GapFiller::sent_of(const githost::DeliveryLog& log) const {
  std::vector<Sent> all;
  std::map<std::string_view, size_t> places;
  for (const githost::LoggedCall& call : log.calls()) {  // The newest first.
    const auto [place, is_new] = places.try_emplace(call.id, all.size());
    if (is_new) {
      all.push_back({.id = call.id,
                     .number = call.number,
                     .event = call.event,
                     .at = call.at,
                     .status = call.status,
                     .accepted = call.is_accepted()});
      continue;
    }
    Sent& sent = all[place->second];
    sent.at = std::min(sent.at, call.at);
    sent.accepted |= call.is_accepted();
    if (githost::is_older(sent.number, call.number)) {
      sent.number = call.number;
      sent.status = call.status;
    }
  }
  std::ranges::reverse(all);
  return all;
}

void GapFiller::compare(const GitLink& link, Watch& watch, WallTime wall_now) {
  const std::vector<Sent> all = sent_of(*watch.log);
  // Of a webhook that was there before it was registered, the log begins with what is not ours.
  const bool judges = source_of(link)->host == githost::GitHost::github || !link.log_number.empty();
  const bool any_known =
      std::ranges::any_of(all, [&](const Sent& sent) { return came(link, sent.id); });
  bool kept_all = true;
  for (const Sent& sent : all) {
    if (parts_.links.find_gap(link.source, sent.id) != nullptr || !judges) continue;
    auto gap = judge(link, sent, any_known, wall_now);
    if (!gap) continue;
    kept_all = kept_all && parts_.links.has_room(link.source);
    if (!kept_all) break;
    log_warning(gap_text(link, *gap) + " did not come" +
                (gap->state == GapState::open ? "; the host is asked for it" : ": " + gap->detail));
    keep(std::move(*gap));
  }
  for (const GitGap* gap : parts_.links.gaps(link.source)) {
    if (is_over(gap->state)) continue;
    const auto sent = std::ranges::find(all, gap->delivery, &Sent::id);
    if (auto next = judge_known_gap(link, *gap, sent == all.end() ? nullptr : &*sent, wall_now)) {
      keep(std::move(*next));
    }
  }
  tell_not_searched(link, watch);
  if (!kept_all) return;  // The rest is found when there is room.
  GitLink next = link;
  next.log_read_at = watch.begun;
  for (const Sent& sent : all) {
    if (next.log_number.empty() || githost::is_older(next.log_number, sent.number)) {
      next.log_number = sent.number;
    }
  }
  if (next.log_number.empty()) next.log_number = "0";
  if (auto stored = parts_.links.put(std::move(next)); !stored) {
    log_error("how far a git host's log was read could not be stored: " + describe(stored.error()));
  }
}

bool GapFiller::came(const GitLink& link, std::string_view delivery) const {
  const GitSource* source = source_of(link);
  return source != nullptr && is_known_ &&
         is_known_(source->organization, source_name(*source, link), delivery, now_);
}

/// A delivery that the log has and no gap is known of.
/// @param others_known  events of others in the log are known, so this one's would be.
std::optional<GitGap> GapFiller::judge(const GitLink& link, const Sent& sent, bool others_known,
                                       WallTime wall_now) const {
  if (is_ping(sent.event) || came(link, sent.id)) return std::nullopt;
  // Bitrise's rules skip calls, which are known of no event then.
  const bool always_event = incoming::app_of(*source_of(link)).empty();
  if (sent.accepted && (!always_event || !others_known)) return std::nullopt;
  GitGap gap{.source = link.source,
             .delivery = sent.id,
             .number = sent.number,
             .event = sent.event,
             .at = sent.at,
             .status = sent.status,
             .found_at = wall_now,
             .detail = {}};
  WallTime oldest = sent.at;
  if (oldest == WallTime{}) oldest = link.log_read_at;  // It was not there then.
  if (oldest == WallTime{}) oldest = link.registered_at;
  if (wall_now - oldest > settings_.window) {
    gap.state = GapState::too_old;
    gap.detail =
        "it may be older than what the relay remembers (ingest.idempotency_window), so it may have "
        "come; ask for it at the host if it is missing";
  }
  return gap;
}

/// What becomes of a gap that is not over. @param sent  what the log says of it now; null: nothing.
std::optional<GitGap> GapFiller::judge_known_gap(const GitLink& link, GitGap gap, const Sent* sent,
                                                 WallTime wall_now) const {
  if (came(link, gap.delivery)) {
    gap.state = GapState::filled;
    log_info(gap_text(link, gap) + " came");
    return gap;
  }
  const bool called_again = sent != nullptr && githost::is_older(gap.number, sent->number);
  if (called_again) {
    gap.number = sent->number;
    gap.status = sent->status;
  }
  if (called_again && sent->accepted) {
    gap.state = GapState::filled;
    gap.detail = "it came, and made no event";
    return gap;
  }
  if (gap.state != GapState::asked) return called_again ? std::optional{gap} : std::nullopt;
  if (!called_again && wall_now - gap.asked_at < patience) return std::nullopt;
  const bool may_ask = gap.asks < asks_max;
  gap.state = may_ask ? GapState::open : GapState::given_up;
  if (!may_ask) {
    gap.detail = "the host was asked for it " + std::to_string(gap.asks) + " times";
    log_warning(gap_text(link, gap) + " is given up: " + gap.detail);
  }
  return gap;
}

/// The count is stored first: no crash makes it more than it says.
void GapFiller::ask(const GitLink& link, Watch& watch, GitGap gap, WallTime wall_now, Instant now) {
  watch.ask_due = now + std::chrono::duration_cast<Duration>(std::chrono::minutes(1)) /
                            std::max(settings_.asks_per_minute, 1u);
  const auto repository = repository_of(*source_of(link), link);
  if (!repository) return;
  gap.state = GapState::asked;
  gap.asks += 1;
  gap.asked_at = wall_now;
  if (!parts_.links.put_gap(gap)) return;
  watch.asking = gap.delivery;
  watch.call = talk_.start(githost::ask_again(*repository, link.hook, gap.number));
}

void GapFiller::on_asked(const GitLink& link, Watch& watch, const HostAnswer& answer,
                         WallTime wall_now, Instant now) {
  const auto repository = repository_of(*source_of(link), link);
  const GitGap* known = parts_.links.find_gap(link.source, std::exchange(watch.asking, {}));
  const auto failure = repository ? failure_of(*repository, answer, wall_now) : std::nullopt;
  if (!failure || known == nullptr) return;
  GitGap gap = *known;
  constexpr std::array<uint16_t, 4> of_one_call{400, 404, 410, 422};
  const bool of_this_call = std::ranges::find(of_one_call, answer.status) != of_one_call.end();
  if (of_this_call) {
    gap.state = GapState::given_up;
    gap.detail = failure->text;
    log_warning(gap_text(link, gap) + " is given up: " + gap.detail);
  } else {
    gap.state = GapState::open;
    const bool counts = answer.error ? !never_arrived(*answer.error) : answer.status >= 500;
    if (!counts && gap.asks > 0) --gap.asks;
    if (gap.asks >= asks_max) gap.state = GapState::asked;  // It may have arrived: wait and see.
    pause(link, watch, *failure, now);
  }
  keep(std::move(gap));
}

/// Leaves the host alone: for as long as it says, or for twice as long as the last time.
void GapFiller::pause(const GitLink& link, Watch& watch, const githost::Failure& failure,
                      Instant now) {
  const uint32_t doublings = std::min(watch.failures++, 16u);
  const Duration wait =
      std::min<Duration>(settings_.interval * (int64_t{1} << doublings), pause_max);
  watch.due = now + std::max(wait, failure.retry_after.value_or(Duration::zero()));
  if (watch.problem == failure.text) return;  // Said once.
  watch.problem = failure.text;
  log_warning("git source " + link.source_id.to_text() +
              ": what did not come cannot be found: " + failure.text);
}

void GapFiller::keep(GitGap gap) {
  if (auto stored = parts_.links.put_gap(std::move(gap)); !stored) {
    log_error("a gap could not be stored: " + describe(stored.error()));
  }
}

}  // namespace ringpost::control
