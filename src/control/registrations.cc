#include "control/registrations.h"

#include "base/assert.h"
#include "base/log.h"
#include "incoming/receiver.h"

#include <algorithm>
#include <utility>

namespace ringpost::control {

using api::Problem;
using api::refusal;
using subscription::GitSource;

namespace {

/// As long as the host may have the old secret.
constexpr auto until_confirmed = std::chrono::hours{24 * 365 * 10};

/// The problem of a caller whose host did not do it.
Problem problem_of(const githost::Failure& failure) {
  Problem problem = refusal(failure.lasting ? 409 : 503, failure.text);
  if (failure.retry_after) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(*failure.retry_after).count();
    problem.retry_after_s = static_cast<uint32_t>(seconds);
  } else if (!failure.lasting) {
    problem.retry_after_s = 60;
  }
  return problem;
}

Problem not_stored(const Error& error) {
  return refusal(503, "the control store could not be written: " + describe(error));
}

}  // namespace

std::variant<api::Answer, Problem> Registrations::begin(const GitSource& source,
                                                        api::Management::Registered registered,
                                                        Instant now) {
  const GitLink* link = parts_.links.find(source.number);
  if (link == nullptr) {
    return refusal(409, "the source has no repository; give it one first: ringpost source update " +
                            source.id.to_text() + " --git URL --git-token @FILE");
  }
  if (public_url_.empty()) {
    return refusal(
        409,
        "it is not configured how git hosts reach this relay; set server.public_url, and "
        "reload");
  }
  auto repository = repository_of(source, *link);
  if (!repository) return refusal(409, "the URL of the repository cannot be read; set it again");
  const bool busy = std::ranges::any_of(
      jobs_, [&](const auto& each) { return each.second.source == source.number; });
  Problem problem;
  if (busy) problem = refusal(409, "the source is being registered already");
  if (jobs_.size() >= under_way_max) {
    problem = refusal(503, "too many registrations are under way; try again shortly");
    problem.retry_after_s = 5;
  }
  if (!problem.detail.empty()) return problem;
  const uint64_t ticket = parts_.answers.expect();
  githost::HookList list(*repository);
  const auto [place, inserted] =
      jobs_.emplace(ticket, Job{.source = source.number,
                                .organization = source.organization,
                                .source_id = source.id,
                                .repository = std::move(*repository),
                                .base_url = public_url_,
                                .url = public_url_ + incoming::path_of(source),
                                .list = std::move(list),
                                .hook = {},
                                .begun = now,
                                .registered = std::move(registered)});
  Job& job = place->second;
  job.call = talk_.start(job.list.request());
  api::Answer later;
  later.when = api::Answer::When::later;
  later.ticket = ticket;
  return later;
}

bool Registrations::step(WallTime wall_now, Instant now) {
  bool changed = false;
  while (auto answered = talk_.take()) {
    for (auto& [ticket, job] : jobs_) {
      if (job.call != answered->ticket || job.phase == Phase::done) continue;
      changed |= on_answer(job, answered->answer, wall_now, now);
      break;
    }
  }
  for (auto& [ticket, job] : jobs_) {
    const bool in_force = !changed && !parts_.publisher.dirty() && parts_.publisher.settled();
    if (job.phase == Phase::publishing && in_force) write(job);
  }
  answer_done();
  return changed;
}

void Registrations::answer_done() {
  for (auto place = jobs_.begin(); place != jobs_.end();) {
    const auto& [ticket, job] = *place;
    if (job.phase != Phase::done) {
      ++place;
      continue;
    }
    api::Answer answer = job.registered(job.problem);
    answer.change = {.operation = register_operation,
                     .object = job.source_id.to_text(),
                     .members = {},
                     .organization = {}};
    parts_.answers.give(ticket, std::move(answer));
    place = jobs_.erase(place);
  }
}

const GitSource* Registrations::source_of(const Job& job) const {
  return parts_.links.find(job.source) == nullptr
             ? nullptr
             : parts_.sources.find(job.organization, job.source_id);
}

bool Registrations::on_answer(Job& job, const HostAnswer& answer, WallTime wall_now, Instant now) {
  if (source_of(job) == nullptr) {
    return end(job, refusal(409, "the source or its repository was removed meanwhile"));
  }
  switch (job.phase) {
    case Phase::listing: return on_list(job, answer, wall_now, now);
    case Phase::writing: return on_written(job, answer, wall_now);
    case Phase::deleting: return on_deleted(job, answer, wall_now);
    case Phase::publishing:
    case Phase::done: break;
  }
  RINGPOST_UNREACHABLE();
}

bool Registrations::on_list(Job& job, const HostAnswer& answer, WallTime wall_now, Instant now) {
  auto failure = failure_of(job.repository, answer, wall_now);
  if (!failure) failure = job.list.add(answer.reply(), wall_now);
  if (!failure && now - job.begun > time_max) {
    failure = githost::Failure{std::string{title(job.repository.host)} +
                               " took too long to list the webhooks"};
  }
  if (failure) return fail(job, *failure, wall_now);
  if (!job.list.is_complete()) {
    job.call = talk_.start(job.list.request());
    return false;
  }
  choose(job);
  return change_secret(job, wall_now);
}

/// Finds the webhook that is changed instead of making a second one.
void Registrations::choose(Job& job) const {
  const GitLink& link = *parts_.links.find(job.source);
  std::vector<std::string> ours;
  job.hook.clear();
  for (const githost::Hook& hook : job.list.hooks()) {
    if (!is_ours(job, hook)) continue;
    const bool better = job.hook.empty() || hook.id == link.hook || hook.url == job.url;
    if (better) job.hook = hook.id;
    ours.push_back(hook.id);
  }
  const bool replaces = githost::keeps_secret(job.repository.host);
  job.others = replaces || ours.empty() ? 0 : ours.size() - 1;
  job.replaced = replaces ? std::move(ours) : std::vector<std::string>{};
}

/// One that calls this source, under whatever name of the relay; or another one that calls the app
/// at this relay: two would start every build twice.
bool Registrations::is_ours(const Job& job, const githost::Hook& hook) const {
  const GitSource& source = *source_of(job);
  const std::string path = incoming::path_of(source);
  if (hook.url.ends_with(path)) return true;
  if (incoming::app_of(source).empty()) return false;
  return hook.url.starts_with(job.base_url + path.substr(0, path.rfind('/') + 1));
}

/// A secret that the host may not have got the last time is offered again.
bool Registrations::change_secret(Job& job, WallTime wall_now) {
  job.phase = Phase::publishing;
  GitLink link = *parts_.links.find(job.source);
  if (link.secret_pending) return false;
  GitSource source = *source_of(job);
  source.previous_secret = std::exchange(source.secret, new_git_secret());
  source.previous_secret_until = wall_now + until_confirmed;
  source.updated_at = wall_now;
  link.secret_pending = true;
  if (auto stored = parts_.links.put(std::move(link)); !stored) {
    return end(job, not_stored(stored.error()));
  }
  const auto updated = parts_.sources.update(std::move(source));
  if (!updated) return end(job, not_stored(updated.error()));
  return true;
}

/// Every shard takes calls with the new secret by now.
void Registrations::write(Job& job) {
  job.phase = Phase::writing;
  const GitSource* source = source_of(job);
  if (source == nullptr) {
    end(job, refusal(409, "the source or its repository was removed meanwhile"));
    return;
  }
  const githost::HookSettings settings{.url = job.url, .secret = source->secret};
  const bool is_new = job.hook.empty() || !job.replaced.empty();
  job.call = talk_.start(is_new ? githost::create_hook(job.repository, settings)
                                : githost::update_hook(job.repository, job.hook, settings));
}

bool Registrations::on_written(Job& job, const HostAnswer& answer, WallTime wall_now) {
  // Somebody made it in between: GitHub takes no second one with the same URL.
  const bool is_new = job.hook.empty() || !job.replaced.empty();
  const bool taken = !answer.error && is_new && (answer.status == 422 || answer.status == 409);
  const bool gone = !answer.error && !is_new && answer.status == 404;
  if ((taken || gone) && !std::exchange(job.listed_again, true)) {
    job.list = githost::HookList(job.repository);
    job.phase = Phase::listing;
    job.call = talk_.start(job.list.request());
    return false;
  }
  if (const auto failure = failure_of(job.repository, answer, wall_now)) {
    return fail(job, *failure, wall_now);
  }
  if (!is_new) return finish(job, job.hook, wall_now);
  auto id = githost::read_hook_id(job.repository.host, answer.reply());
  if (const auto* failure = std::get_if<githost::Failure>(&id))
    return fail(job, *failure, wall_now);
  job.made = std::get<std::string>(std::move(id));
  return delete_next(job, wall_now);
}

/// What the webhook that was made replaces, one after the other.
bool Registrations::delete_next(Job& job, WallTime wall_now) {
  if (job.replaced.empty()) return finish(job, job.made, wall_now);
  job.phase = Phase::deleting;
  job.call = talk_.start(githost::delete_hook(job.repository, job.replaced.back()));
  return false;
}

/// The source is registered already: one that stays is told, and is no failure.
bool Registrations::on_deleted(Job& job, const HostAnswer& answer, WallTime wall_now) {
  const bool gone = !answer.error && answer.status == 404;
  const auto failure = failure_of(job.repository, answer, wall_now);
  if (failure && !gone) {
    job.not_deleted +=
        "; webhook " + job.replaced.back() +
        ", which it replaces, could not be deleted, delete it at the host: " + failure->text;
  }
  job.replaced.pop_back();
  return delete_next(job, wall_now);
}

bool Registrations::finish(Job& job, std::string hook, WallTime wall_now) {
  const bool made = hook == job.made;
  GitLink link = *parts_.links.find(job.source);
  if (link.hook != hook) {  // Of one that was there before, what it sent so far is not ours.
    link.log_number = made ? "0" : "";
    link.log_read_at = {};
  }
  link.hook = hook;
  link.secret_pending = false;
  link.registered_at = link.result_at = wall_now;
  link.failed = false;
  link.result = (made ? "made webhook " : "changed webhook ") + hook;
  if (made && !job.hook.empty()) link.result += " in place of " + job.hook;
  link.result += job.not_deleted;
  if (job.others > 0) {
    link.result += "; " + std::to_string(job.others) +
                   " more of the repository's webhooks call this relay for the same: delete them "
                   "at the host";
  }
  log_info("git source " + job.source_id.to_text() + ": registered at " + link.url + ": " +
           link.result);
  GitSource source = *source_of(job);
  source.previous_secret_until = wall_now + overlap;
  source.updated_at = wall_now;
  if (auto stored = parts_.links.put(std::move(link)); !stored) {
    return end(job, not_stored(stored.error()));
  }
  const auto updated = parts_.sources.update(std::move(source));
  if (!updated) return end(job, not_stored(updated.error()));
  job.phase = Phase::done;
  return true;
}

/// Keeps what happened for `source show`.
bool Registrations::fail(Job& job, const githost::Failure& failure, WallTime wall_now) {
  GitLink link = *parts_.links.find(job.source);
  link.failed = true;
  link.result = failure.text;
  link.result_at = wall_now;
  log_warning("git source " + job.source_id.to_text() + ": not registered at " + link.url + ": " +
              failure.text);
  if (auto stored = parts_.links.put(std::move(link)); !stored) {
    log_error("the result could not be stored: " + describe(stored.error()));
  }
  end(job, problem_of(failure));
  return false;
}

bool Registrations::end(Job& job, Problem problem) {
  job.phase = Phase::done;
  job.problem = std::move(problem);
  return false;
}

}  // namespace ringpost::control
