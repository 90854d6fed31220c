#include "delivery/listened_attempt.h"

#include "delivery/dispatcher.h"
#include "delivery/retry.h"

#include <utility>

namespace ringpost::delivery {

ListenedAttempt::ListenedAttempt(Dispatcher& dispatcher, const Attempt& attempt, uint64_t ticket)
    : dispatcher_(dispatcher),
      attempt_(attempt),
      ticket_(ticket),
      webhook_number_(attempt.delivery->target->webhook_number),
      parser_(http::ResponseLimits{.body_bytes_max = dispatcher.limits().response_body_bytes_max}) {
  times_.clear();
}

void ListenedAttempt::begin() {
  io::Ring& ring = dispatcher_.ring();
  if (const auto error = dispatcher_.render(attempt_, request_)) return settle(error);
  times_.set(StepTimes::Step::ask, ring.now());
  ring.arm<&ListenedAttempt::on_deadline>(*this, timer_, attempt_.deadline - ring.now());
  dispatcher_.ask_listener(attempt_, request_, ticket_);
}

void ListenedAttempt::on_answer(Bytes answer) {
  times_.set_once(StepTimes::Step::answer, dispatcher_.ring().now());
  const auto progress = parser_.feed(answer);
  const bool unfinished = progress == http::ResponseParser::Progress::need_more;
  const bool failed = unfinished ? !parser_.on_end(std::nullopt)
                                 : progress == http::ResponseParser::Progress::failed;
  if (failed) return settle(parser_.error());
  const uint16_t status = parser_.status();
  if (status >= 200 && status < 300) return settle(std::nullopt);
  settle(Error{Errc::bad_status, Side::endpoint, status});
}

void ListenedAttempt::on_failure(const Error& error) {
  settle(error);
}

void ListenedAttempt::take_back() {
  settle(Error{Errc::overloaded, Side::self});
}

void ListenedAttempt::abort() {
  dispatcher_.ring().disarm(timer_);
}

void ListenedAttempt::on_deadline() {
  dispatcher_.forget_request(attempt_, ticket_);
  settle(Error{Errc::timed_out, Side::endpoint});
}

void ListenedAttempt::settle(std::optional<Error> error) {
  dispatcher_.ring().disarm(timer_);
  // Nothing is short here when a request is taken back.
  AttemptResult result{.error = error,
                       .connected = true,
                       .name_unasked = true,
                       .request = request_.head.empty() ? nullptr : &request_,
                       .connection = {.timings = times_.timings(dispatcher_.ring().now())}};
  if (parser_.begun()) {
    result.http_status = parser_.status();
    result.response_head = parser_.status() != 0 ? parser_.kept_head() : parser_.refused_head();
    result.response_body = parser_.body();
    result.response_truncated = parser_.truncated();
    result.retry_after =
        parse_retry_after(parser_.header("retry-after"), dispatcher_.ring().wall_now());
  }
  dispatcher_.settle(attempt_, result);
  dispatcher_.on_listened_over(*this);
}

}  // namespace ringpost::delivery
