#include "load/workload.h"

#include "base/ulid.h"
#include "cli/refusal.h"
#include "cli/text.h"
#include "http/serialiser.h"

#include <algorithm>

namespace ringpost::load {

RelayWorkload::RelayWorkload(RequestFrame frame, uint64_t batch, uint64_t events_max,
                             bool note_times)
    : frame_(std::move(frame)), batch_(batch), events_max_(events_max), note_times_(note_times) {}

uint64_t RelayWorkload::events_in(uint64_t number) const {
  const uint64_t first = number * batch_;
  return first >= events_max_ ? 0 : std::min(batch_, events_max_ - first);
}

std::optional<Error> RelayWorkload::make(uint64_t number, WallTime now, Outgoing& request) {
  const uint64_t count = events_in(number);
  for (uint64_t event = 0; event < count; ++event) {
    append_event(request.body, number * batch_ + event, now);
    if (batch_ > 1) request.body += '\n';
  }
  std::vector<http::Header> headers = frame_.headers;
  headers.push_back({"Content-Type", batch_ > 1 ? "application/x-ndjson" : "application/json"});
  http::append_request_head(request.head,
                            {.method = "POST",
                             .target = frame_.target,
                             .authority = frame_.authority,
                             .body_bytes = request.body.size()},
                            headers);
  return std::nullopt;
}

bool RelayWorkload::take_answer(uint64_t number, uint16_t status, Bytes body, Instant now) {
  if (status != 202) return false;
  simdjson::dom::element answer;
  if (parser_.parse(as_text(body).data(), body.size()).get(answer) != simdjson::SUCCESS) {
    return false;
  }
  for (const auto& [member, sum] : {std::pair{"accepted", &totals_.accepted},
                                    {"duplicates", &totals_.duplicates},
                                    {"deliveries", &totals_.deliveries},
                                    {"unmatched", &totals_.unmatched}}) {
    uint64_t count = 0;
    if (answer[member].get(count) == simdjson::SUCCESS) *sum += count;
  }
  if (note_times_) note_accepted(number, now);
  return true;
}

std::string RelayWorkload::explain(uint16_t status, Bytes body) const {
  return cli::explain_refusal(
      {.status = status, .body = std::string{as_text(body)}, .retry_after = {}}, frame_.target);
}

void RelayWorkload::note_accepted(uint64_t number, Instant now) {
  const uint64_t first = number * batch_;
  const uint64_t end = first + events_in(number);
  if (accepted_at_.size() < end) accepted_at_.resize(end);
  std::fill(accepted_at_.begin() + static_cast<ptrdiff_t>(first),
            accepted_at_.begin() + static_cast<ptrdiff_t>(end), now);
}

MadeEvents::MadeEvents(RequestFrame frame, EventForm form, uint64_t batch, uint64_t events_max,
                       bool note_times)
    : RelayWorkload(std::move(frame), batch, events_max, note_times), maker_(std::move(form)) {}

void MadeEvents::append_event(std::string& out, uint64_t event, WallTime now) {
  maker_.append_event(out, event, now);
}

RecordedEvents::RecordedEvents(RequestFrame frame, const std::vector<std::string>& lines,
                               uint64_t batch, uint64_t events_max, bool note_times)
    : RelayWorkload(std::move(frame), batch, events_max, note_times), lines_(lines) {}

void RecordedEvents::append_event(std::string& out, uint64_t event, WallTime) {
  out += lines_[event];
}

WebhookRequests::WebhookRequests(const std::vector<subscription::Webhook>& webhooks,
                                 const std::vector<EventForm>& forms) {
  for (size_t index = 0; index < webhooks.size(); ++index) {
    ways_.push_back({dialect::make_renderer(webhooks[index]), EventMaker(forms[index])});
  }
}

std::optional<Error> WebhookRequests::make(uint64_t number, WallTime now, Outgoing& request) {
  auto& [renderer, maker] = ways_[number % ways_.size()];
  data_.clear();
  maker.append_data(data_, number, now);
  id_ = maker.form().run + "-" + std::to_string(number);
  const Ulid uid = Ulid::mint(now, maker.random());
  const journal::EventView event{.uid = uid,
                                 .accepted_at = now,
                                 .id = id_,
                                 .id_given = true,
                                 .source = maker.next_source(number, now),
                                 .type = maker.next_type(number, now),
                                 .data = as_bytes(data_),
                                 .data_checked = true};
  rendered_.clear();
  const auto error = renderer->render({.event = event, .delivery = uid, .now = now}, rendered_);
  if (error) return error;
  request.head = rendered_.head;
  request.body = as_text(rendered_.body);
  return std::nullopt;
}

std::string WebhookRequests::explain(uint16_t status, Bytes body) const {
  constexpr size_t shown_max = 200;
  const std::string_view text = as_text(body).substr(0, shown_max);
  return "status " + std::to_string(status) + (text.empty() ? "" : ": " + cli::shown(text));
}

bool WebhookRequests::take_answer(uint64_t, uint16_t status, Bytes, Instant) {
  return status >= 200 && status < 300;
}

}  // namespace ringpost::load
