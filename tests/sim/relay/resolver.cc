#include "sim/relay/resolver.h"

#include <utility>

namespace ringpost::sim {

Resolver::~Resolver() {
  while (!ready_.empty()) cancel(ready_.front());
  ring_.disarm(timer_);
}

void Resolver::submit(net::Query& query, std::string_view host) {
  if (auto literal = io::Address::parse_ip(host, 0)) {
    query.addresses.push_back(std::move(literal).value());
  } else if (const auto found = names_.find(host); found != names_.end()) {
    query.addresses = found->second;
  } else {
    query.error = Error{Errc::name_unresolved, Side::endpoint};
  }
  ready_.push_back(query);
  if (!timer_.armed()) ring_.arm<&Resolver::on_timer>(*this, timer_, Duration::zero());
}

/// Tells those that are ready now: a handler may ask again.
void Resolver::on_timer() {
  IntrusiveList<net::Query, &net::Query::link> telling;
  while (!ready_.empty()) telling.push_back(ready_.pop_front());
  while (!telling.empty()) telling.pop_front().complete();
}

}  // namespace ringpost::sim
