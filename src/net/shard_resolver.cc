#include "net/shard_resolver.h"

#include <algorithm>
#include <cctype>
#include <utility>

namespace ringpost::net {
namespace {

constexpr size_t host_bytes_max = 253;  // RFC 1035, 2.3.4, as text without the final dot.

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

ShardResolver::ShardResolver(io::Ring& ring, NameService& service)
    : ring_(ring), service_(service) {}

ShardResolver::~ShardResolver() {
  while (!ready_.empty()) cancel(ready_.front());
  for (const auto& lookup : lookups_) {
    while (!lookup->waiting.empty()) cancel(lookup->waiting.front());
  }
  if (channel_ != nullptr) service_.detach(*channel_);
}

void ShardResolver::submit(Query& query, std::string_view host) {
  if (auto literal = io::Address::parse_ip(host, 0)) {
    query.addresses.push_back(std::move(literal).value());
    ready_.push_back(query);
    return arm_timer();
  }
  std::string name = canonical(host);
  if (name.empty()) return settle_now(query, {Errc::name_unresolved, Side::endpoint});
  if (Lookup* const lookup = find(name)) return lookup->waiting.push_back(query);
  if (!ask(query, std::move(name))) settle_now(query, {Errc::overloaded, Side::self});
}

/// Settled in `poll`, not here: a handler never runs inside the call that asked.
void ShardResolver::settle_now(Query& query, Error error) {
  query.error = error;
  ready_.push_back(query);
  arm_timer();
}

ShardResolver::Lookup* ShardResolver::find(std::string_view host) {
  const auto found =
      std::ranges::find_if(lookups_, [&](const auto& lookup) { return lookup->host == host; });
  return found == lookups_.end() ? nullptr : found->get();
}

/// @returns false if too many questions are unanswered.
bool ShardResolver::ask(Query& query, std::string host) {
  if (unanswered_ >= NameService::Channel::questions_max) return false;
  if (channel_ == nullptr) channel_ = &service_.attach(ring_.waker());
  const bool taken = channel_->questions.push({.id = ++last_id_, .host = host});
  RINGPOST_ASSERT(taken);
  ++unanswered_;
  auto& lookup = *lookups_.emplace_back(std::make_unique<Lookup>());
  lookup.id = last_id_;
  lookup.host = std::move(host);
  lookup.deadline = ring_.now() + deadline;
  lookup.waiting.push_back(query);
  service_.ask();
  arm_timer();
  return true;
}

void ShardResolver::poll() {
  if (channel_ != nullptr) take_answers();
  tell_ready();
}

void ShardResolver::take_answers() {
  NameService::Answer answer;
  while (channel_->answers.pop(answer)) {
    RINGPOST_ASSERT(unanswered_ > 0);
    --unanswered_;
    const auto found =
        std::ranges::find_if(lookups_, [&](const auto& lookup) { return lookup->id == answer.id; });
    if (found == lookups_.end()) continue;  // Its time had run out.
    while (!(*found)->waiting.empty()) {
      Query& query = (*found)->waiting.pop_front();
      query.addresses = answer.addresses;
      query.error = answer.error;
      ready_.push_back(query);
    }
    lookups_.erase(found);
  }
}

/// Only what is ready now: a handler may ask again, and would be told again.
void ShardResolver::tell_ready() {
  QueryList telling;
  while (!ready_.empty()) telling.push_back(ready_.pop_front());
  while (!telling.empty()) telling.pop_front().complete();
}

/// Deadlines; and what is ready, should the shard's loop not have come round to `poll`.
void ShardResolver::on_timer() {
  while (!lookups_.empty() && lookups_.front()->deadline <= ring_.now()) {
    const auto lookup = std::move(lookups_.front());
    lookups_.erase(lookups_.begin());
    while (!lookup->waiting.empty()) {
      Query& query = lookup->waiting.pop_front();
      query.error = Error{Errc::timed_out, Side::operator_};
      ready_.push_back(query);
    }
  }
  poll();
  arm_timer();
}

void ShardResolver::arm_timer() {
  if (!ready_.empty()) {
    ring_.arm<&ShardResolver::on_timer>(*this, timer_, Duration::zero());
  } else if (!lookups_.empty()) {
    ring_.arm<&ShardResolver::on_timer>(*this, timer_, lookups_.front()->deadline - ring_.now());
  }
}

}  // namespace ringpost::net
