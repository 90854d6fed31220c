#include "sim/relay/resolver.h"

namespace ringpost::sim {

Resolver::~Resolver() {
  ring().disarm(timer_);
}

void Resolver::ask(uint64_t id, const std::string& host) {
  ++asked_;
  const auto found = names_.find(host);
  const bool silent = found != names_.end() && found->second.empty();
  const Instant at = ring().now() + (silent ? silence : Duration::zero());
  answers_.emplace(at, Answer{id, host, silent});
  ring().arm<&Resolver::on_timer>(*this, timer_, answers_.begin()->first - ring().now());
}

void Resolver::answer(const Answer& answer) {
  if (answer.silent)
    return take_answer(answer.id, {}, Error{Errc::name_timed_out, Side::operator_});
  const auto found = names_.find(answer.host);
  if (found == names_.end()) {
    return take_answer(answer.id, {}, Error{Errc::name_unresolved, Side::endpoint});
  }
  take_answer(answer.id, found->second, std::nullopt);
}

void Resolver::on_timer() {
  while (!answers_.empty() && answers_.begin()->first <= ring().now()) {
    answer(answers_.extract(answers_.begin()).mapped());
  }
  tell_ready();
  if (answers_.empty()) return;
  ring().arm<&Resolver::on_timer>(*this, timer_, answers_.begin()->first - ring().now());
}

}  // namespace ringpost::sim
