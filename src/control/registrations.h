#pragma once

#include "api/management.h"
#include "api/problem.h"
#include "control/git_links.h"
#include "control/git_source_registry.h"
#include "control/host_talk.h"
#include "control/late_answers.h"
#include "control/publisher.h"
#include "githost/hooks.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace ringpost::control {

/// What the audit log calls the making of a webhook at a git host.
inline constexpr std::string_view register_operation = "source.register";

/// Makes the webhooks of git sources at their hosts, over the hosts' APIs. A call of the management
/// API begins a registration and gets its answer when it is done; nothing waits for a host
/// meanwhile.
///
/// list the host's webhooks ─> a new secret, beside the old one ─> in force on every shard ─>
/// change the webhook that is ours, or make one ─> the old secret's time begins to run
///
/// Where a change leaves the secret as it was, one is made and then the old one is deleted. A push
/// in between comes twice, and none is lost.
class Registrations {
 public:
  /// All borrowed; they outlive it.
  struct Parts {
    GitLinks& links;
    GitSourceRegistry& sources;
    Publisher& publisher;
    LateAnswers& answers;
  };

  static constexpr size_t under_way_max = 64;
  /// A registration that has not come to its last call by then is given up.
  static constexpr Duration time_max = std::chrono::seconds(30);
  /// How long calls with the old secret are good once the host has the new one: for those on their
  /// way.
  static constexpr Duration overlap = std::chrono::hours(24);

  Registrations(const Parts& parts, HostCaller caller, std::function<void()> wake)
      : parts_(parts), talk_(std::move(caller), std::move(wake)) {}

  /// @param url  how hosts reach the relay: scheme and authority; empty if that is not configured.
  void set_public_url(std::string url) { public_url_ = std::move(url); }

  /// @param registered  makes the answer to whoever waits for it (api::Management).
  /// @returns an answer for later, or what forbids it.
  std::variant<api::Answer, api::Problem> begin(const subscription::GitSource& source,
                                                api::Management::Registered registered,
                                                Instant now);

  /// Goes on with what can go on; may change the store. Only while everything in it is durable.
  /// @returns whether something was changed that is to be published.
  bool step(WallTime wall_now, Instant now);
  /// Whether there is something to do.
  bool has_answers() const { return talk_.has_answers(); }

 private:
  enum class Phase : uint8_t { listing, publishing, writing, deleting, done };
  struct Job {
    uint32_t source = 0;
    std::string organization;
    Ulid source_id;
    githost::Repository repository;
    std::string base_url;
    std::string url;  ///< For the host to call.
    githost::HookList list;
    Phase phase = Phase::listing;
    uint64_t call = 0;
    std::string hook;                     ///< The one that is ours; empty: there is none yet.
    size_t others = 0;                    ///< How many more of ours there are.
    std::string made;                     ///< The one that was made in its place.
    std::vector<std::string> replaced{};  ///< To be deleted, the last one first.
    std::string not_deleted;              ///< What the result says of them.
    bool listed_again = false;
    Instant begun{};
    api::Management::Registered registered{};
    std::optional<api::Problem> problem{};
  };
  using Jobs = std::map<uint64_t, Job>;  // By ticket of the late answer.

  const subscription::GitSource* source_of(const Job& job) const;
  bool on_answer(Job& job, const HostAnswer& answer, WallTime wall_now, Instant now);
  bool on_list(Job& job, const HostAnswer& answer, WallTime wall_now, Instant now);
  bool on_written(Job& job, const HostAnswer& answer, WallTime wall_now);
  bool on_deleted(Job& job, const HostAnswer& answer, WallTime wall_now);
  bool delete_next(Job& job, WallTime wall_now);
  void choose(Job& job) const;
  bool is_ours(const Job& job, const githost::Hook& hook) const;
  bool change_secret(Job& job, WallTime wall_now);
  void write(Job& job);
  bool finish(Job& job, std::string hook, WallTime wall_now);
  bool fail(Job& job, const githost::Failure& failure, WallTime wall_now);
  bool end(Job& job, api::Problem problem);
  void answer_done();

  const Parts parts_;
  HostTalk talk_;
  std::string public_url_;
  Jobs jobs_;
};

}  // namespace ringpost::control
