#include "control/outgoing_calls.h"

#include <memory>
#include <utility>

namespace ringpost::control {

void OutgoingCalls::start(net::ClientRequest&& request, Done done) {
  if (waiting_.size() >= waiting_max) {
    finished_.push_back({{.error = Error{Errc::overloaded, Side::self}}, std::move(done)});
    return;
  }
  waiting_.push_back({std::move(request), std::move(done)});
  send_waiting();
}

void OutgoingCalls::send_waiting() {
  while (!waiting_.empty() && under_way_.size() < under_way_max) {
    Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    const uint64_t ticket = next_ticket_++;
    under_way_.emplace(ticket, std::move(next.done));
    post_.send(static_cast<uint32_t>(ticket % shard_count_),
               SendCall{ticket, std::make_unique<net::ClientRequest>(std::move(next.request))});
  }
}

void OutgoingCalls::on_answered(CallAnswered&& message) {
  auto call = under_way_.extract(message.ticket);
  if (call.empty()) return;
  finished_.push_back({std::move(*message.answer), std::move(call.mapped())});
  send_waiting();
}

void OutgoingCalls::finish() {
  while (!finished_.empty()) {
    const Finished next = std::move(finished_.front());
    finished_.pop_front();
    next.done(next.answer);
  }
}

}  // namespace ringpost::control
