// Attempts whose requests go to programs that listen (README.md, "Listeners").

#include "delivery/dispatcher.h"

#include <vector>

namespace ringpost::delivery {

void Dispatcher::set_listening(uint32_t webhook_number, bool listening) {
  if (listening) {
    listening_.insert(webhook_number);
  } else {
    listening_.erase(webhook_number);
    std::vector<ListenedAttempt*> asked;
    listened_.for_each([&](ListenedAttempt& attempt) {
      if (attempt.webhook_number() == webhook_number) asked.push_back(&attempt);
    });
    for (ListenedAttempt* attempt : asked) attempt->take_back();
  }
  const auto found = targets_.find(webhook_number);
  if (listening && found != targets_.end()) hasten(*found->second);
}

void Dispatcher::begin_listened(const Attempt& attempt) {
  auto* listened = new ListenedAttempt(*this, attempt, next_ticket_++);
  listened_.push_back(*listened);
  ++attempt.endpoint->connection_count;  // So that it stays.
  listened->begin();
}

void Dispatcher::ask_listener(const Attempt& attempt, const dialect::Request& request,
                              uint64_t ticket) {
  const Delivery& delivery = *attempt.delivery;
  host_.on_listener_request({.ticket = ticket,
                             .webhook_number = delivery.target->webhook_number,
                             .delivery = delivery.id,
                             .attempt = delivery.attempts,
                             .event_type = delivery.event->view().type,
                             .event_source = delivery.event->view().source,
                             .head = request.head,
                             .body = request.body});
}

void Dispatcher::forget_request(const Attempt& attempt, uint64_t ticket) {
  host_.on_listener_request_over(attempt.delivery->target->webhook_number, ticket);
}

ListenedAttempt* Dispatcher::find_listened(uint64_t ticket) {
  ListenedAttempt* found = nullptr;
  listened_.for_each([&](ListenedAttempt& attempt) {
    if (attempt.ticket() == ticket) found = &attempt;
  });
  return found;
}

void Dispatcher::on_listener_answer(uint64_t ticket, Bytes answer,
                                    const std::optional<Error>& error) {
  ListenedAttempt* attempt = find_listened(ticket);
  if (attempt == nullptr) return;
  error ? attempt->on_failure(*error) : attempt->on_answer(answer);
}

void Dispatcher::on_listened_over(ListenedAttempt& attempt) {
  Endpoint& endpoint = attempt.endpoint();
  attempt.link.unlink();
  --endpoint.connection_count;
  release(endpoint);
  delete &attempt;
  tidy(endpoint);
}

}  // namespace ringpost::delivery
