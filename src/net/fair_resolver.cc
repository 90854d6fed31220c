#include "net/fair_resolver.h"

#include "net/egress_policy.h"

#include <algorithm>
#include <cctype>
#include <utility>

namespace ringpost::net {
namespace {

constexpr size_t host_bytes_max = 253;  // RFC 1035, 2.3.4, as text without the final dot.

/// What names whose servers were silent leave to all others: one question in so many.
constexpr size_t reserve_divisor = 4;

/// The one spelling under which a name is asked for; empty if no name server could know it.
std::string canonical(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.size() > host_bytes_max) return {};
  std::string name;
  for (const char letter : host) {
    const auto byte = static_cast<unsigned char>(letter);
    const bool known =
        byte < 0x80 && (std::isalnum(byte) != 0 || letter == '-' || letter == '.' || letter == '_');
    if (!known) return {};
    name += static_cast<char>(std::tolower(byte));
  }
  return name;
}

}  // namespace

FairResolver::~FairResolver() {
  while (!ready_.empty()) cancel(ready_.front());
  while (!late_next_.empty()) cancel(late_next_.front());
  ring_.disarm(timer_);
}

// --- questions -----------------------------------------------------------------------------------

void FairResolver::submit(Query& query, std::string_view host, uint64_t share) {
  if (auto literal = io::Address::parse_ip(host, 0)) {
    query.addresses.push_back(std::move(literal).value());
    return settle(query, std::nullopt);
  }
  std::string name = canonical(host);
  if (name.empty()) return settle(query, Error{Errc::name_unresolved, Side::endpoint});
  if (names_this_host(name)) {
    for (const std::string_view loopback : {"127.0.0.1", "::1"}) {
      query.addresses.push_back(io::Address::parse_ip(loopback, 0).value());
    }
    return settle(query, std::nullopt);
  }
  query.deadline = ring_.now() + time_max_;
  late_next_.push_back(query);
  arm_timer();
  if (Question* const question = find(name)) return join(*question, query);
  Account& account = account_of(share);
  const bool was_silent = silent_names_.contains(name);
  const bool is_first = was_silent ? !account.waits() : account.waiting.empty();
  if (is_first && has_share(account, was_silent)) {
    return open(account, query, std::move(name));
  }
  queue(account, query, std::move(name));
}

FairResolver::Account& FairResolver::account_of(uint64_t share) {
  std::unique_ptr<Account>& account = accounts_[share];
  if (account == nullptr) {
    account = std::make_unique<Account>();
    account->share = share;
  }
  return *account;
}

/// Forgets the account if it has no questions. It may no longer exist afterwards.
void FairResolver::tidy(Account& account) {
  if (account.open == 0 && !account.waits()) accounts_.erase(account.share);
}

FairResolver::Question* FairResolver::find(std::string_view host) {
  const auto found =
      std::ranges::find_if(open_, [&](const auto& question) { return question->host == host; });
  return found == open_.end() ? nullptr : found->get();
}

/// Whether one more question may be open: of all, an account may have four times what is left, so
/// that there is always something left for the next one (as Dispatcher::has_share).
bool FairResolver::has_share(const Account& account, bool was_silent) const {
  const size_t reserve = questions_max / reserve_divisor;
  if (was_silent && silent_open_ >= questions_max - reserve) return false;
  const size_t left = questions_max - open_.size();
  return account.open < 4 * left;
}

void FairResolver::open(Account& account, Query& query, std::string host) {
  const bool was_silent = silent_names_.contains(host);
  ++account.open;
  if (was_silent) ++silent_open_;
  auto& question = *open_.emplace_back(std::make_unique<Question>());
  question.id = ++last_id_;
  question.host = std::move(host);
  question.account = &account;
  question.was_silent = was_silent;
  join(question, query);
  ask(question.id, question.host);
}

void FairResolver::join(Question& question, Query& query) {
  query.set_asked();
  question.waiting.push_back(query);
}

void FairResolver::queue(Account& account, Query& query, std::string host) {
  counters_.add(Counter::names_queued);
  const bool was_silent = silent_names_.contains(host);
  query.host = std::move(host);
  (was_silent ? account.waiting_for_silent : account.waiting).push_back(query);
  if (!account.turn_link.linked()) turns_.push_back(account);
}

/// Accounts take turns, until none of them may ask any more.
void FairResolver::admit_waiting() {
  bool admitted = true;
  while (std::exchange(admitted, false)) {
    IntrusiveList<Account, &Account::turn_link> round;
    while (!turns_.empty()) round.push_back(turns_.pop_front());
    while (!round.empty()) {
      Account& account = round.pop_front();
      if (admit_one_of(account)) admitted = true;
      account.waits() ? turns_.push_back(account) : tidy(account);
    }
  }
}

/// @returns false if none of those that wait has a share.
bool FairResolver::admit_one_of(Account& account) {
  const bool was_silent = account.waiting.empty();
  if (!account.waits() || !has_share(account, was_silent)) return false;
  Query& query = (was_silent ? account.waiting_for_silent : account.waiting).pop_front();
  std::string host = std::move(query.host);
  if (Question* const question = find(host)) {
    join(*question, query);
  } else {
    open(account, query, std::move(host));
  }
  return true;
}

// --- answers -------------------------------------------------------------------------------------

void FairResolver::take_answer(uint64_t id, const std::vector<io::Address>& addresses,
                               const std::optional<Error>& error) {
  const auto found =
      std::ranges::find_if(open_, [&](const auto& question) { return question->id == id; });
  RINGPOST_ASSERT(found != open_.end());
  const std::unique_ptr<Question> question = std::move(*found);
  open_.erase(found);
  if (question->was_silent) --silent_open_;
  --question->account->open;
  if (error && error->code == Errc::name_timed_out) {
    note_silence(question->host);
  } else {
    silent_names_.erase(question->host);
  }
  while (!question->waiting.empty()) {
    Query& query = question->waiting.front();
    query.addresses = addresses;
    settle(query, error);
  }
  if (!question->account->turn_link.linked()) tidy(*question->account);
  admit_waiting();
}

void FairResolver::note_silence(const std::string& host) {
  // Full: any of them makes room.
  if (silent_names_.size() >= silent_names_max) silent_names_.erase(silent_names_.begin());
  silent_names_.insert(host);
}

/// Told in `tell_ready`, not here: a handler never runs inside the call that asked.
void FairResolver::settle(Query& query, std::optional<Error> error) {
  query.link.unlink();
  query.deadline_link.unlink();
  query.error = error;
  ready_.push_back(query);
  arm_timer();
}

/// Only what is ready now: a handler may ask again, and would be told again.
void FairResolver::tell_ready() {
  QueryList telling;
  while (!ready_.empty()) telling.push_back(ready_.pop_front());
  while (!telling.empty()) telling.pop_front().complete();
}

/// A question that is open goes on without them: its answer may help the next ones.
void FairResolver::end_late() {
  while (!late_next_.empty() && late_next_.front().deadline <= ring_.now()) {
    Query& query = late_next_.front();
    settle(query, query.asked() ? Error{Errc::name_timed_out, Side::operator_}
                                : Error{Errc::overloaded, Side::self});
  }
}

/// Deadlines; and what is ready, should the shard's loop not have come round to tell it.
void FairResolver::on_timer() {
  end_late();
  tell_ready();
  arm_timer();
}

void FairResolver::arm_timer() {
  if (!ready_.empty()) {
    ring_.arm<&FairResolver::on_timer>(*this, timer_, Duration::zero());
  } else if (!late_next_.empty()) {
    ring_.arm<&FairResolver::on_timer>(*this, timer_, late_next_.front().deadline - ring_.now());
  }
}

}  // namespace ringpost::net
