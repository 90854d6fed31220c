#include "api/logged_head.h"
#include "control/api/api.h"
#include "control/api/history.h"
#include "http/syntax.h"
#include "json/document.h"

#include <simdjson.h>

#include <limits>
#include <utility>

namespace ringpost::control {

using journal::EventView;
using journal::OutcomeView;

namespace {

/// Whatever it is, a browser saves it and shows nothing of it.
constexpr std::string_view download_policy = "sandbox; default-src 'none'; frame-ancestors 'none'";

enum class Part : uint8_t { event, request, response };

struct Wanted {
  Part part = Part::event;
  std::optional<uint32_t> attempt;  ///< Nothing: the last.
};

std::optional<Part> parse_part(std::string_view text) {
  if (text == "event") return Part::event;
  if (text == "request") return Part::request;
  if (text == "response") return Part::response;
  return std::nullopt;
}

std::variant<Wanted, Problem> read_wanted(const Call& call) {
  const auto parsed = parse_query(call.request.query, {"of", "attempt"});
  if (const auto* problem = std::get_if<Problem>(&parsed)) return *problem;
  const auto& parameters = std::get<http::QueryParameters>(parsed);
  Wanted wanted;
  if (const auto text = parameters.find("of")) {
    const auto part = parse_part(*text);
    if (!part) {
      return api::refusal_of_member(400, "of", "must be event, request or response");
    }
    wanted.part = *part;
  }
  if (const auto text = parameters.find("attempt")) {
    const auto number = http::parse_decimal(*text);
    if (!number || *number < 1 || *number > std::numeric_limits<uint16_t>::max()) {
      return api::refusal_of_member(400, "attempt", "must be a number from 1 to 65535");
    }
    wanted.attempt = static_cast<uint32_t>(*number);
  }
  return wanted;
}

/// Of a request there may be nothing on record but that its body was the event's data.
Bytes body_of(const EventView& event, const OutcomeView& outcome, Part part) {
  if (part == Part::response) return outcome.response_body;
  const bool is_question = api::parse_logged_head(outcome.request_head).method() == "OPTIONS";
  return is_question || outcome.request_made ? outcome.request_body : event.data;
}

std::string_view extension_of(Bytes body) {
  json::Document document;
  document.assign(as_text(body));
  if (!body.empty() && document.valid()) return ".json";
  return simdjson::validate_utf8(as_text(body)) ? ".txt" : ".bin";
}

/// @param name  of our own words and numbers.
Answer attachment(Bytes body, std::string name) {
  if (body.empty()) return answer_json(204, {});
  name += extension_of(body);
  Answer answer = answer_json(200, std::string{as_text(body)});
  answer.response.content_type = "application/octet-stream";
  answer.response.headers.push_back(
      {"Content-Disposition", "attachment; filename=\"" + name + "\""});
  answer.response.headers.push_back({"Content-Security-Policy", std::string{download_policy}});
  answer.response.headers.push_back({"Cross-Origin-Resource-Policy", "same-origin"});
  return answer;
}

}  // namespace

Answer DeliveryApi::download(const Call& call) {
  const auto read = read_wanted(call);
  if (const auto* problem = std::get_if<Problem>(&read)) return refuse(*problem);
  const Wanted& wanted = std::get<Wanted>(read);
  auto search = find(call, Ulid::parse_either(call.id()));
  if (auto* problem = std::get_if<Problem>(&search)) return refuse(*problem);
  const Found& found = std::get<Found>(search);
  const EventView& event = found.event->view();
  const std::string name = "delivery-" + found.facts.id.to_text();
  if (wanted.part == Part::event) return attachment(event.data, name + "-event");
  std::optional<JournalAccess::StoredOutcome> chosen;
  for (const journal::Position position : found.facts.state.records) {
    auto outcome = journals_.read_outcome(position);
    if (!outcome) continue;
    const uint32_t number = outcome->view.attempt;
    // A record of a start has the number of that of the end, and less in it.
    const bool is_end = outcome->view.status != journal::DeliveryStatus::in_flight;
    const bool better =
        !chosen || number > chosen->view.attempt || (number == chosen->view.attempt && is_end);
    if (better && wanted.attempt.value_or(number) == number) chosen = std::move(*outcome);
  }
  if (!chosen) return refuse(refusal(404, "there is no record of such an attempt"));
  return attachment(body_of(event, chosen->view, wanted.part),
                    name + "-attempt-" + std::to_string(chosen->view.attempt) +
                        (wanted.part == Part::request ? "-request" : "-response"));
}

}  // namespace ringpost::control
