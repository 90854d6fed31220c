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
    : ledger(key, expect), plan_(std::move(plan)), random_(seed) {}

Decision Endpoint::decide(Duration elapsed) {
  const Phase& phase = plan_.phase_at(elapsed);
  const Behaviour& behaviour = phase.behaviour;
  Decision decision{.status = behaviour.draw_status(random_),
                    .fault = behaviour.draw_fault(random_),
                    .delay = behaviour.delay.draw(random_),
                    .drip_interval = behaviour.drip_interval};
  if (++totals.requests <= plan_.fail_first) decision.status = 503;
  if (const Outage* outage = plan_.outage_at(elapsed)) {
    decision.status = 503;
    decision.fault = outage->kind == Outage::Kind::hang     ? Fault::hang
                     : outage->kind == Outage::Kind::status ? Fault::none
                                                            : Fault::reset;
  }
  decision.answer = &answer_of(phase, decision.status);
  ++totals.faults[static_cast<size_t>(decision.fault)];
  if (!is_answered(decision.fault)) return decision;
  ++totals.statuses[decision.status];
  if (decision.status >= 200 && decision.status < 300) ++totals.answered_2xx;
  return decision;
}

const std::string& Endpoint::answer_of(const Phase& phase, uint16_t status) {
  std::string& answer = answers_[{&phase, status}];
  if (answer.empty()) answer = phase.behaviour.answer(status);
  return answer;
}

dialect::Verdict Endpoint::verify(const dialect::Received& received, WallTime now) {
  dialect::Verdict verdict = dialect::not_signed("there is no secret to verify it with");
  const dialect::Dialect* judge = nullptr;
  for (const Secret& secret : plan_.secrets) {
    dialect::Verdict other = secret.dialect->verify(received, secret.text, {.now = now});
    if (other.kind == Kind::not_signed) continue;
    if (other.kind == Kind::refuted && judge != nullptr) continue;  // The first reason is told.
    verdict = std::move(other);
    judge = secret.dialect;
    if (verdict.kind == Kind::authentic) break;
  }
  switch (verdict.kind) {
    case Kind::authentic:
      ++totals.signatures_good;
      ++totals.dialects[judge->name()].good;
      break;
    case Kind::refuted:
      ++totals.signatures_bad;
      ++totals.dialects[judge->name()].bad;
      break;
    case Kind::not_signed: ++totals.unsigned_requests; break;
  }
  return verdict;
}

}  // namespace ringpost::sink
