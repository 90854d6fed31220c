#include "sink/endpoint.h"

#include "dialect/dialect.h"

namespace ringpost::sink {

using Kind = dialect::Verdict::Kind;

void Totals::add(const Totals& other) {
  requests += other.requests;
  answered_2xx += other.answered_2xx;
  signatures_good += other.signatures_good;
  signatures_bad += other.signatures_bad;
  unsigned_requests += other.unsigned_requests;
  malformed += other.malformed;
  connections += other.connections;
  handshakes_failed += other.handshakes_failed;
  body_bytes += other.body_bytes;
  for (const auto& [status, count] : other.statuses) statuses[status] += count;
  for (size_t index = 0; index < faults.size(); ++index) faults[index] += other.faults[index];
  for (const auto& [dialect, signatures] : other.dialects) {
    dialects[dialect].good += signatures.good;
    dialects[dialect].bad += signatures.bad;
  }
}

Endpoint::Endpoint(EndpointPlan plan, uint64_t seed, const HashKey& key, uint64_t expect)
    : plan_(std::move(plan)), ledger_(key, expect), random_(seed) {}

Endpoint::Taken Endpoint::take(Duration elapsed, size_t body_bytes, const Signature& signature,
                               const Ledger::Sighting& sighting) {
  const std::lock_guard lock(mutex_);
  totals_.body_bytes += body_bytes;
  count(signature);
  const Decision decision = decide(elapsed);
  return {decision, ledger_.note(sighting)};
}

void Endpoint::note_answer(const Taken& taken) {
  const uint16_t status = taken.decision.status;
  if (taken.delivery == nullptr || status < 200 || status > 299) return;
  const std::lock_guard lock(mutex_);
  taken.delivery->succeeded = true;
}

void Endpoint::count(uint64_t Totals::*what) {
  const std::lock_guard lock(mutex_);
  ++(totals_.*what);
}

Endpoint::Reading Endpoint::read() const {
  return {std::unique_lock(mutex_), totals_, ledger_};
}

Decision Endpoint::decide(Duration elapsed) {
  const Phase& phase = plan_.phase_at(elapsed);
  const Behaviour& behaviour = phase.behaviour;
  Decision decision{.status = behaviour.draw_status(random_),
                    .fault = behaviour.draw_fault(random_),
                    .delay = behaviour.delay.draw(random_),
                    .drip_interval = behaviour.drip_interval};
  if (++totals_.requests <= plan_.fail_first) decision.status = 503;
  if (const Outage* outage = plan_.outage_at(elapsed)) {
    decision.status = 503;
    decision.fault = outage->kind == Outage::Kind::hang     ? Fault::hang
                     : outage->kind == Outage::Kind::status ? Fault::none
                                                            : Fault::reset;
  }
  decision.answer = &answer_of(phase, decision.status);
  ++totals_.faults[static_cast<size_t>(decision.fault)];
  if (!is_answered(decision.fault)) return decision;
  ++totals_.statuses[decision.status];
  if (decision.status >= 200 && decision.status < 300) ++totals_.answered_2xx;
  return decision;
}

const std::string& Endpoint::answer_of(const Phase& phase, uint16_t status) {
  std::string& answer = answers_[{&phase, status}];
  if (answer.empty()) answer = phase.behaviour.answer(status);
  return answer;
}

Endpoint::Signature Endpoint::verify(const dialect::Received& received, WallTime now) const {
  Signature found{dialect::not_signed("there is no secret to verify it with")};
  for (const Secret& secret : plan_.secrets) {
    dialect::Verdict other = secret.dialect->verify(received, secret.text, {.now = now});
    if (other.kind == Kind::not_signed) continue;
    if (other.kind == Kind::refuted && found.dialect != nullptr) continue;  // The first is told.
    found = {std::move(other), secret.dialect};
    if (found.verdict.kind == Kind::authentic) break;
  }
  return found;
}

void Endpoint::count(const Signature& signature) {
  switch (signature.verdict.kind) {
    case Kind::authentic:
      ++totals_.signatures_good;
      ++totals_.dialects[signature.dialect->name()].good;
      break;
    case Kind::refuted:
      ++totals_.signatures_bad;
      ++totals_.dialects[signature.dialect->name()].bad;
      break;
    case Kind::not_signed: ++totals_.unsigned_requests; break;
  }
}

}  // namespace ringpost::sink
