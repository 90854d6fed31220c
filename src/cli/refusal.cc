#include "cli/refusal.h"

#include "cli/json.h"
#include "cli/text.h"
#include "cli/webhook_body.h"
#include "http/syntax.h"

namespace ringpost::cli {
namespace {

constexpr size_t foreign_bytes_shown_max = 200;
constexpr size_t errors_shown_max = 100;

/// Where the id can be looked up that the request named.
std::string_view list_of_ids(std::string_view target) {
  if (target.starts_with("/v1/webhooks/")) return "ringpost webhook list";
  if (target.starts_with("/v1/deliveries/")) return "ringpost delivery list WEBHOOK";
  if (target.starts_with("/v1/tokens/")) return "ringpost token list";
  return {};
}

std::string hint_for(const Answer& answer, std::string_view target, bool from_relay) {
  switch (answer.status) {
    case 401:
      return "give a token with --token @FILE or RINGPOST_TOKEN; the first start wrote one to "
             "admin.token in its data directory";
    case 403: return "an admin can see each token's scopes and sources with ringpost token list";
    case 404: {
      if (!from_relay) break;
      const std::string_view list = list_of_ids(target);
      if (list.empty()) return {};
      return std::string{list} + " shows those that this token may see";
    }
    case 429:
    case 503:
    case 507:
      if (!answer.retry_after.empty()) {
        const std::string_view when = std::string_view{answer.retry_after}.substr(0, 40);
        const bool seconds = http::is_digit(when.front());
        return seconds ? "try again in " + shown(when) + " s" : "try again after " + shown(when);
      }
      if (answer.status == 429) return "wait a little and try again";
      break;
    default: break;
  }
  if (!from_relay) return "is that the URL of a relay that serves its API? (RINGPOST_URL)";
  return {};
}

/// Puts the line of the whole input into the text: in the place of the request's, if the text names
/// it, or else in front. A count of bytes from the request's front means nothing then.
std::string with_line(std::string text, uint64_t line, uint64_t lines_before) {
  const std::string whole = "line " + std::to_string(lines_before + line);
  const std::string before = "line " + std::to_string(line) + ",";
  const size_t at = text.find(before);
  if (at == std::string::npos) return whole + ": " + text;
  if (lines_before > 0) {
    const size_t bytes = text.find(" (after ", at);
    const size_t end = text.find(')', bytes);
    if (end != std::string::npos) text.erase(bytes, end + 1 - bytes);
  }
  return text.replace(at, before.size(), whole + ",");
}

/// The problem's own words, with its place; empty if the body is no problem (RFC 9457).
std::string detail_of(const Answer& answer, std::string_view target, uint64_t lines_before) {
  simdjson::dom::parser parser;
  simdjson::dom::element problem;
  if (!parse_json(answer.body, parser, problem) || !problem.is_object()) {
    return {};
  }
  std::string text = text_of(problem, "/detail");
  if (text.empty()) text = text_of(problem, "/title");
  if (text.empty()) return {};
  const std::string member = text_of(problem, "/member");
  // An event's members stand in the event, not in options.
  const std::string_view option =
      target.starts_with("/v1/events") ? std::string_view{} : option_of_member(member);
  if (!member.empty() && text.find(member) == std::string::npos) text = "`" + member + "`: " + text;
  if (text.ends_with('.')) text.pop_back();  // More follows.
  uint64_t line = 0;
  if (problem["line"].get(line) == simdjson::SUCCESS) {
    text = with_line(std::move(text), line, lines_before);
  }
  if (!option.empty()) text.append(" (").append(option).append(")");
  return text;
}

/// All that is wrong with a configuration, each on a line of its own.
std::string list_errors(const Answer& answer) {
  simdjson::dom::parser parser;
  simdjson::dom::element problem;
  simdjson::dom::array errors;
  if (!parse_json(answer.body, parser, problem) ||
      problem.at_pointer("/errors").get(errors) != simdjson::SUCCESS) {
    return {};
  }
  std::string lines;
  size_t count = 0;
  for (const simdjson::dom::element error : errors) {
    if (count++ == errors_shown_max) break;
    std::string place = text_of(error, "/file");
    const std::string line = text_of(error, "/line");
    if (!line.empty() && line != "0") place += ":" + line + ":" + text_of(error, "/column");
    lines += "\n  " + (place.empty() ? "" : place + ": ") + text_of(error, "/text");
  }
  return lines;
}

}  // namespace

std::string explain_refusal(const Answer& answer, std::string_view target, uint64_t lines_before) {
  std::string text = detail_of(answer, target, lines_before);
  const bool from_relay = !text.empty();
  if (!from_relay) text = shown(std::string_view{answer.body}.substr(0, foreign_bytes_shown_max));
  std::string line = "the relay answered " + std::to_string(answer.status);
  if (!text.empty()) line += ": " + text;
  const std::string hint = hint_for(answer, target, from_relay);
  if (!hint.empty()) line += "; " + hint;
  return line + list_errors(answer);
}

}  // namespace ringpost::cli
