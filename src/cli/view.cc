#include "cli/view.h"

#include "cli/json.h"
#include "cli/text.h"
#include "cli/where.h"
#include "json/document.h"

#include <cstdio>
#include <string_view>
#include <utility>

namespace ringpost::cli {
namespace {

using simdjson::dom::element;

/// Of one body; `--json` has all that the relay keeps.
constexpr size_t body_bytes_shown_max = 4000;

/// Name and value of every member: `name: value`, each behind `indent`.
std::string members_of(element object, std::string_view path, std::string_view indent) {
  simdjson::dom::object members;
  if (object.at_pointer(path).get(members) != simdjson::SUCCESS) return "";
  std::string out;
  for (const auto& [name, value] : members) {
    out.append(indent).append(printable(name)).append(": ").append(text_of(value, "")).append("\n");
  }
  return out;
}

/// The same of a webhook's settings. They may hold any JSON, so each value is shown as it is
/// spelled and not as the DOM understood it.
std::string settings_of(element webhook, std::string_view json) {
  simdjson::dom::object settings;
  if (webhook["settings"].get(settings) != simdjson::SUCCESS) return "";
  json::Document document;
  document.assign(json);
  std::string out;
  for (const auto& [name, value] : settings) {
    const auto path = json::Path::parse("settings." + std::string{name});
    const json::Found found = path ? document.find(*path) : json::Found{};
    const bool known = found.kind != json::Kind::missing && !found.broken;
    out.append("  ").append(printable(name)).append(": ");
    out.append(known ? printable(found.text) : text_of(value, "")).append("\n");
  }
  return out;
}

std::string schedule_of(element webhook) {
  simdjson::dom::array steps;
  if (webhook["schedule"].get(steps) != simdjson::SUCCESS) return "";
  std::string out;
  for (const element step : steps) {
    uint64_t seconds = 0;
    if (step.get(seconds) != simdjson::SUCCESS) continue;
    out.append(out.empty() ? "after " : ", ").append(span_of(seconds));
  }
  return out.empty() ? "none: one attempt" : out;
}

std::string tls_of(element webhook) {
  bool verify = true;
  if (webhook.at_pointer("/tls/verify").get(verify) == simdjson::SUCCESS && !verify) {
    return "NOT VERIFIED: anyone on the network path can read and change what is sent";
  }
  return text_of(webhook, "/tls/ca").empty() ? "verified" : "verified against the webhook's own CA";
}

/// Empty where nobody has to ask.
std::string permission_of(element webhook) {
  const std::string permission = text_of(webhook, "/permission");
  if (permission == "not_needed") return {};
  const std::string reason = text_of(webhook, "/permission_reason");
  return reason.empty() ? permission : permission + ": " + reason;
}

/// Empty where the receiver works.
std::string circuit_of(element webhook) {
  const std::string failures = text_of(webhook, "/circuit/failures");
  if (failures.empty()) return {};
  const std::string next = short_time(text_of(webhook, "/circuit/next_attempt_at"));
  // Of all webhooks with this receiver.
  return failures +
         " attempts in a row failed at this host: " + text_of(webhook, "/circuit/last_failure") +
         (next.empty() ? "" : "; the next is at " + next);
}

void append_section(std::string& out, std::string_view title, const std::string& lines) {
  if (!lines.empty()) out.append(title).append("\n").append(lines);
}

}  // namespace

std::string filter_of(element webhook) {
  std::string out;
  const auto add = [&](std::string_view label, const std::string& value) {
    if (!value.empty()) out.append(out.empty() ? "" : "; ").append(label).append(value);
  };
  add("branches ", text_of(webhook, "/filter/branches"));
  add("teams ", list_of(webhook, "/filter/teams"));
  add("clusters ", list_of(webhook, "/filter/clusters"));
  element condition;
  if (webhook.at_pointer("/filter/data").get(condition) == simdjson::SUCCESS) {
    add("data ", condition_text(condition));
  }
  return out;
}

std::string state_of(element webhook) {
  std::string state = text_of(webhook, "/state");
  if (!circuit_of(webhook).empty()) state += ", failing";
  if (!text_of(webhook, "/paused_until").empty()) state += ", paused";
  return state;
}

std::string trouble_of(element webhook) {
  constexpr std::string_view by_a_person = "disabled over the API";
  if (raw_text_of(webhook, "/settings/type") == "in") return {};  // It sends nothing.
  const std::string state = text_of(webhook, "/state");
  const std::string reason = text_of(webhook, "/state_reason");
  if (state != "active") return reason == by_a_person ? "" : state + ": " + reason;
  if (std::string failing = circuit_of(webhook); !failing.empty()) return failing;
  if (const std::string until = text_of(webhook, "/paused_until"); !until.empty()) {
    return "its receiver asked for a pause until " + short_time(until);
  }
  if (raw_text_of(webhook, "/permission") == "refused") {
    return "its receiver does not agree: " + text_of(webhook, "/permission_reason");
  }
  return text_of(webhook, "/warnings/0");
}

std::string_view storage_note(element status) {
  const std::string_view state = raw_text_of(status, "/storage/state");
  if (state == "failed") return "STORAGE FAILED: events are refused until a restart";
  if (state == "short")
    return "STORAGE SHORT: new events may be refused; stored events are still delivered";
  if (raw_text_of(status, "/storage/store_state") == "failed")
    return "STORE FAILED: webhooks and tokens cannot be changed until a restart";
  return "";
}

std::string show_webhook(std::string_view json, std::string_view given_secret) {
  simdjson::dom::parser parser;
  element webhook;
  if (!parse_json(json, parser, webhook) || !webhook.is_object()) return {};
  const std::string timeout = text_of(webhook, "/timeout_ms");
  const std::string rate = text_of(webhook, "/rate_per_second");
  const std::string secret = text_of(webhook, "/secret");
  const bool given = !secret.empty() && secret == given_secret;
  Rows rows(13);
  rows.add("id", text_of(webhook, "/id"))
      .add("url", text_of(webhook, "/url"))
      .add("listener", text_of(webhook, "/listener") == "true"
                           ? "its requests go to a program (`ringpost listen`), not to the URL"
                           : "")
      .add("dialect", text_of(webhook, "/dialect"))
      .add("state", text_of(webhook, "/state"))
      .add("reason", text_of(webhook, "/state_reason"))
      .add("paused until", short_time(text_of(webhook, "/paused_until")))
      .add("failing", circuit_of(webhook))
      .add("permission", permission_of(webhook))
      .add("description", text_of(webhook, "/description"))
      .add("organization", text_of(webhook, "/organization"))
      .add("sources", list_of(webhook, "/sources"))
      .add("events", list_of(webhook, "/events"))
      .add("filter", filter_of(webhook))
      .add("schedule", schedule_of(webhook))
      .add("timeout", timeout.empty() ? "" : timeout + " ms")
      .add("concurrency", text_of(webhook, "/concurrency_max"))
      .add("rate", rate.empty() ? "" : rate + " a second")
      .add("TLS", tls_of(webhook))
      .add("created", short_time(text_of(webhook, "/created_at")))
      .add("changed", short_time(text_of(webhook, "/updated_at")))
      .add("secret", given ? "as you gave it" : secret)
      .add("old secret", [&] {
        const std::string until = short_time(text_of(webhook, "/previous_secret_until"));
        return until.empty() ? "" : "also signs until " + until;
      }());
  std::string out = rows.take();
  append_section(out, "headers", members_of(webhook, "/headers", "  "));
  append_section(out, "settings", settings_of(webhook, json));
  if (!secret.empty() && !given) {
    out += "\nThe secret is shown only this once: give it to the receiver now.\n";
  }
  return out;
}

std::string warnings_of(std::string_view json) {
  simdjson::dom::parser parser;
  element webhook;
  simdjson::dom::array warnings;
  if (!parse_json(json, parser, webhook) ||
      webhook.at_pointer("/warnings").get(warnings) != simdjson::SUCCESS) {
    return {};
  }
  std::string out;
  for (const element warning : warnings) {
    out.append("ringpost: warning: ").append(text_of(warning, "")).append("\n");
  }
  return out;
}

std::string result_of(element delivery) {
  const std::string status = text_of(delivery, "/last_attempt/response_status");
  const std::string code = text_of(delivery, "/last_attempt/error/code");
  // Success in itself, which did not count: of a request for permission, say.
  const bool refuted = status.starts_with('2') && !code.empty();
  if (!status.empty() && !refuted) return status;
  return code.empty() ? "-" : code;
}

namespace {

std::string body_of(element message) {
  simdjson::dom::element body;
  if (message["body"].get(body) == simdjson::SUCCESS && body.is_null()) {
    return "      (the body is left out, the attempts are too large together)\n";
  }
  std::string out = shown_lines(raw_text_of(message, "/body"), "      ", body_bytes_shown_max);
  bool truncated = false;
  if (message["truncated"].get(truncated) == simdjson::SUCCESS && truncated) {
    out += "      (truncated: the relay stored only this much)\n";
  }
  return out;
}

std::string show_error(element attempt) {
  const std::string code = text_of(attempt, "/error/code");
  if (code.empty()) return "";
  const std::string side = text_of(attempt, "/error/side");
  const std::string detail = text_of(attempt, "/error/detail");
  std::string out = "    error     " + code;
  if (!side.empty()) out += " (" + side + ")";
  if (!detail.empty()) out += ": " + detail;
  out += "\n";
  const std::string_view received = raw_text_of(attempt, "/error/received");
  if (received.empty()) return out;
  return out + "    received\n" + shown_lines(received, "      ", body_bytes_shown_max);
}

/// "    TLS       TLSv1.3, TLS_AES_128_GCM_SHA256, X25519MLKEM768, resumed"; nothing for plain
/// http.
std::string show_tls(element attempt) {
  const std::string version = text_of(attempt, "/tls/version");
  if (version.empty()) return "";
  std::string out = "    TLS       " + version + ", " + text_of(attempt, "/tls/cipher");
  const std::string group = text_of(attempt, "/tls/group");
  if (!group.empty()) out += ", " + group;
  bool resumed = false;
  if (attempt.at_pointer("/tls/resumed").get(resumed) == simdjson::SUCCESS && resumed) {
    out += ", resumed";
  }
  return out + "\n";
}

/// "    address   192.0.2.7:443, connection reused"; nothing if it came to none.
std::string show_connection(element attempt) {
  const std::string address = text_of(attempt, "/connection/address");
  if (address.empty()) return "";
  const bool reused = text_of(attempt, "/connection/reused") == "true";
  return "    address   " + address + (reused ? ", connection reused\n" : ", new connection\n");
}

/// "    time      name 3.1 ms, connect 12.0 ms, TLS 25.4 ms, first byte 130.2 ms": what it had.
std::string show_timings(element attempt) {
  constexpr std::pair<const char*, const char*> steps[] = {
      {"name", "/timings/name_ms"},
      {"connect", "/timings/connect_ms"},
      {"TLS", "/timings/tls_ms"},
      {"first byte", "/timings/first_byte_ms"}};
  std::string out;
  for (const auto& [title, member] : steps) {
    double taken = 0;
    if (attempt.at_pointer(member).get(taken) != simdjson::SUCCESS) continue;
    char text[32];
    std::snprintf(text, sizeof text, " %.1f ms", taken);
    out += std::string{out.empty() ? "" : ", "} + title + text;
  }
  return out.empty() ? out : "    time      " + out + "\n";
}

std::string show_attempt(element attempt) {
  const std::string number = text_of(attempt, "/number");
  const std::string duration = text_of(attempt, "/duration_ms");
  std::string out = "\n  attempt";
  if (!number.empty()) out += " " + number + " at " + short_time(text_of(attempt, "/started_at"));
  if (!duration.empty()) out += ", " + duration + " ms";
  out += "\n" + show_error(attempt) + show_timings(attempt) + show_connection(attempt) +
         show_tls(attempt);
  element request;
  if (attempt["request"].get(request) == simdjson::SUCCESS && request.is_object()) {
    out += "    request   " + text_of(request, "/method") + " " + text_of(request, "/url") + "\n";
    out += members_of(request, "/headers", "      ") + body_of(request);
  }
  element response;
  if (attempt["response"].get(response) == simdjson::SUCCESS && response.is_object()) {
    out += "    response  " + text_of(response, "/status") + "\n";
    const std::string note = text_of(response, "/note");
    if (!note.empty()) out += "    note      " + note + "\n";
    out += members_of(response, "/headers", "      ") + body_of(response);
  }
  return out;
}

}  // namespace

std::string show_delivery(element delivery) {
  const std::string webhook = text_of(delivery, "/webhook");
  Rows rows(10);
  rows.add("delivery", text_of(delivery, "/id"))
      .add("status", text_of(delivery, "/status"))
      .add("because", text_of(delivery, "/status_reason"))
      .add("webhook", webhook.empty() ? "removed" : webhook)
      .add("event", text_of(delivery, "/event/id") + "  " + text_of(delivery, "/event/type") +
                        "  " + text_of(delivery, "/event/source"))
      .add("repeats", text_of(delivery, "/redelivery_of"))
      .add("next", short_time(text_of(delivery, "/next_attempt_at")));
  std::string out = rows.take();
  simdjson::dom::array attempts;
  if (delivery["attempts"].get(attempts) == simdjson::SUCCESS) {
    for (const element attempt : attempts) out += show_attempt(attempt);
  }
  return out;
}

namespace {

/// The data as the relay spelled it: text and bytes (base64) without their quotes.
std::string data_of(element event) {
  element data;
  if (event["data"].get(data) != simdjson::SUCCESS) {
    if (event["data_base64"].get(data) != simdjson::SUCCESS) return {};
    return "data (base64)\n" +
           shown_lines(raw_text_of(event, "/data_base64"), "  ", body_bytes_shown_max);
  }
  if (data.is_null()) return {};
  if (data.is_string()) {
    return "data\n" + shown_lines(raw_text_of(event, "/data"), "  ", body_bytes_shown_max);
  }
  return "data\n" + shown_lines(simdjson::minify(data), "  ", body_bytes_shown_max);
}

}  // namespace

std::string show_event(std::string_view json) {
  simdjson::dom::parser parser;
  element event;
  if (!parse_json(json, parser, event) || !event.is_object()) return {};
  Rows rows(10);
  rows.add("event", text_of(event, "/id"))
      .add("type", text_of(event, "/type"))
      .add("source", text_of(event, "/source"))
      .add("accepted", short_time(text_of(event, "/accepted_at")))
      .add("time", text_of(event, "/time"))
      .add("subject", text_of(event, "/subject"))
      .add("branch", text_of(event, "/branch"))
      .add("content", text_of(event, "/datacontenttype"));
  std::string out = rows.take();
  append_section(out, "attributes", members_of(event, "/extensions", "  "));
  out += data_of(event);
  Table table({"DELIVERY", "STATUS", "ATTEMPTS", "WEBHOOK", "REPEATS"});
  simdjson::dom::array deliveries;
  if (event["deliveries"].get(deliveries) == simdjson::SUCCESS) {
    for (const element delivery : deliveries) {
      const std::string webhook = text_of(delivery, "/webhook");
      table.add({text_of(delivery, "/id"), text_of(delivery, "/status"),
                 text_of(delivery, "/attempt_count"), webhook.empty() ? "removed" : webhook,
                 text_of(delivery, "/redelivery_of")});
    }
  }
  return out + (table.empty() ? "no deliveries\n" : table.to_text());
}

std::string show_replay(element replay) {
  const std::string webhook = text_of(replay, "/webhook");
  bool dry_run = false;
  if (replay["dry_run"].get(dry_run) != simdjson::SUCCESS) dry_run = false;
  Rows rows(10);
  rows.add("replay", text_of(replay, "/id"))
      .add("state", text_of(replay, "/state") + (dry_run ? " (dry run: nothing is sent)" : ""))
      .add("reason", text_of(replay, "/state_reason"))
      .add("webhook", webhook.empty() ? "all" : webhook)
      .add("into", text_of(replay, "/into"))
      .add("source", text_of(replay, "/source"))
      .add("type", text_of(replay, "/type"))
      .add("status", text_of(replay, "/status"))
      .add("error", text_of(replay, "/error"))
      .add("response", text_of(replay, "/response_status"))
      .add("since", short_time(text_of(replay, "/since")))
      .add("until", short_time(text_of(replay, "/until")))
      .add("reached", short_time(text_of(replay, "/reached")))
      .add("matched", text_of(replay, "/matched"))
      .add("sent", text_of(replay, "/sent"))
      .add("skipped", text_of(replay, "/skipped"))
      .add("e.g.", short_list_of(replay, "/sample"));
  return rows.take();
}

}  // namespace ringpost::cli
