#pragma once

#include "base/counters.h"
#include "io/ring.h"
#include "net/resolver.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace ringpost::net {

/// A resolver that has a limited number of questions open and shares them out: names whose servers
/// never answer keep nobody else's from being asked (README.md, "Names"). Queries for one name
/// share a question; IP addresses need none. Who answers the questions is the derived class's
/// business: ShardResolver asks the NameService, tests/sim has one with a table.
class FairResolver : public Resolver {
 public:
  static constexpr Duration usual_time_max = std::chrono::seconds{10};
  static constexpr size_t questions_max = 256;
  /// Names of which is remembered that their servers were silent.
  static constexpr size_t silent_names_max = 4096;

  /// @param counters  of the shard; lives longer.
  /// @param time_max  a query ends within it, in any case.
  FairResolver(io::Ring& ring, Counters& counters, Duration time_max = usual_time_max)
      : ring_(ring), counters_(counters), time_max_(time_max) {}
  ~FairResolver() override;  // Pending queries are taken back.

  /// Whether `tell_ready` has something to tell already, so that the shard's turn may not sleep.
  bool has_answers() const { return !ready_.empty(); }

 protected:
  /// Finds out the addresses of `host`. At most `questions_max` are unanswered at any time.
  virtual void ask(uint64_t id, const std::string& host) = 0;

  /// The answer to a question; exactly one for each. Handlers run later, in `tell_ready`.
  /// @param error  nothing: there are addresses.
  void take_answer(uint64_t id, const std::vector<io::Address>& addresses,
                   const std::optional<Error>& error);
  /// Runs the handlers of what is answered.
  void tell_ready();

  io::Ring& ring() { return ring_; }

 private:
  using QueryList = IntrusiveList<Query, &Query::link>;

  /// On whose account questions are asked.
  struct Account {
    uint32_t open = 0;  ///< Questions that are not answered yet.
    QueryList waiting;
    QueryList waiting_for_silent;  ///< For names whose servers were silent when last asked.
    ListLink turn_link;
    uint64_t share = 0;

    bool waits() const { return !waiting.empty() || !waiting_for_silent.empty(); }
  };
  /// One question, with all that wait for its answer: none, if their time is up.
  struct Question {
    uint64_t id;
    std::string host;
    Account* account;
    bool was_silent;
    QueryList waiting;
  };

  void submit(Query& query, std::string_view host, uint64_t share) override;
  void settle(Query& query, std::optional<Error> error);
  Account& account_of(uint64_t share);
  void tidy(Account& account);
  Question* find(std::string_view host);
  bool has_share(const Account& account, bool was_silent) const;
  void open(Account& account, Query& query, std::string host);
  void join(Question& question, Query& query);
  void queue(Account& account, Query& query, std::string host);
  void admit_waiting();
  bool admit_one_of(Account& account);
  void note_silence(const std::string& host);
  void end_late();
  void on_timer();
  void arm_timer();

  io::Ring& ring_;
  Counters& counters_;
  const Duration time_max_;
  std::vector<std::unique_ptr<Question>> open_;
  std::unordered_map<uint64_t, std::unique_ptr<Account>> accounts_;  ///< Those with questions.
  IntrusiveList<Account, &Account::turn_link> turns_;                ///< Those with waiting ones.
  IntrusiveList<Query, &Query::deadline_link> late_next_;  ///< All that wait, oldest first.
  QueryList ready_;
  std::unordered_set<std::string> silent_names_;
  size_t silent_open_ = 0;  ///< Of `open_`: those with was_silent.
  uint64_t last_id_ = 0;
  io::Timer timer_;
};

}  // namespace ringpost::net
