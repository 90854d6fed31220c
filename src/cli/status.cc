#include "cli/commands.h"
#include "cli/text.h"
#include "cli/view.h"

#include <cstdio>

namespace ringpost::cli {
namespace {

void row(const char* label, const std::string& value) {
  std::printf("  %-22s %s\n", label, value.c_str());
}

std::string percentiles(simdjson::dom::element status, const std::string& path) {
  return "p50 " + latency_of(number_of(status, path + "/p50_us")) + "   p99 " +
         latency_of(number_of(status, path + "/p99_us"));
}

/// How events get to the central relay; empty: there is none.
std::string forward_of(simdjson::dom::element status) {
  const std::string state = text_of(status, "/forward/state");
  if (state == "off" || state.empty()) return {};
  std::string text =
      state + ", " + grouped(number_of(status, "/forward/backlog_events")) + " behind";
  if (const auto lost = number_of(status, "/forward/lost"); lost > 0) {
    text += ", " + grouped(lost) + " LOST";
  }
  const std::string problem = text_of(status, "/forward/problem");
  return problem.empty() ? text : text + ": " + problem;
}

/// How spans get to the collector; empty: there are none.
std::string tracing_of(simdjson::dom::element status) {
  if (text_of(status, "/tracing/endpoint").empty()) return {};
  uint64_t dropped = 0;
  for (const char* reason : {"full", "refused", "away"}) {
    dropped += number_of(status, std::string{"/tracing/dropped/"} + reason);
  }
  std::string text = grouped(number_of(status, "/tracing/exported")) + " spans sent";
  if (dropped > 0) text += ", " + grouped(dropped) + " dropped";
  const std::string problem = text_of(status, "/tracing/problem");
  return problem.empty() ? text : text + ": " + problem;
}

/// What became of the configuration when it was last read again; empty: it never was.
std::string last_reload(simdjson::dom::element status) {
  const std::string at = text_of(status, "/last_reload/at");
  if (at.empty()) return {};
  const std::string problem = text_of(status, "/last_reload/problem");
  const std::string waiting = list_of(status, "/last_reload/needs_restart");
  std::string text = problem.empty() ? "ok" : "REFUSED";
  text += ", " + short_time(at);
  if (!problem.empty()) text += ": " + problem;
  if (!waiting.empty()) text += "; takes effect after a restart: " + waiting;
  return text;
}

void print(simdjson::dom::element status) {
  const auto total = [&](const char* name) {
    return grouped(number_of(status, std::string("/totals/") + name));
  };
  const std::string storage = text_of(status, "/storage/state");
  const std::string store = text_of(status, "/storage/store_state");
  const std::string_view note = storage_note(status);
  std::printf("ringpost %s, up %s (counts are since then)%s%s\n\n",
              text_of(status, "/version").c_str(), span_of(number_of(status, "/uptime_s")).c_str(),
              note.empty() ? "" : "   ", note.data());
  if (const std::string why = text_of(status, "/engine_reason"); !why.empty()) {
    row("engine", text_of(status, "/engine") + ": " + why);
  }
  if (storage != "ok") row("storage", text_of(status, "/storage/detail"));
  if (store == "failed") {
    row("control store", text_of(status, "/storage/store_detail") +
                             ": webhooks and tokens cannot be changed until a restart");
  }
  const std::string reload = last_reload(status);
  if (!reload.empty()) row("last reload", reload);
  if (const std::string forward = forward_of(status); !forward.empty()) row("forward", forward);
  if (const std::string tracing = tracing_of(status); !tracing.empty()) row("tracing", tracing);
  row("events accepted", total("events_accepted"));
  row("  duplicates, refused", total("events_duplicate") + ", " + total("events_refused"));
  for (const auto& [title, name] :
       {std::pair{"    invalid", "events_refused_invalid"},
        std::pair{"    no permission", "events_refused_unauthorized"},
        std::pair{"    too many a second", "events_refused_throttled"},
        std::pair{"    share used up", "events_over_share"},
        std::pair{"    relay overloaded", "events_refused_overloaded"},
        std::pair{"    disk full", "events_refused_no_space"},
        std::pair{"    storage failed", "events_refused_storage_failed"}}) {
    if (const std::string count = total(name); count != "0") row(title, count);
  }
  row("delivered", total("deliveries_delivered"));
  row("dead, cancelled", total("deliveries_dead") + ", " + total("deliveries_cancelled"));
  row("pending, in flight", total("deliveries_pending") + ", " + total("deliveries_in_flight"));
  const std::string oldest = text_of(status, "/oldest_undelivered_at");
  row("oldest undelivered", oldest.empty() ? "-" : short_time(oldest));
  row("attempts, failed", total("attempts_started") + ", " + total("attempts_failed"));
  if (const std::string failed = text_of(status, "/last_failure/delivery"); !failed.empty()) {
    row("  last failure",
        short_time(text_of(status, "/last_failure/at")) + ": ringpost delivery show " + failed);
  }
  // What is worth a line only where it happened.
  for (const auto& [title, name] :
       {std::pair{"  stored in short", "outcomes_bare"},
        std::pair{"  not stored", "outcomes_unrecorded"},
        std::pair{"ids forgotten early", "ids_forgotten_early"},
        std::pair{"name look-ups queued", "names_queued"},
        std::pair{"refused: no memory", "bodies_without_room"},
        std::pair{"refused: too slow", "requests_too_slow"},
        std::pair{"idle clients closed", "connections_displaced"},
        std::pair{"clients refused", "connections_turned_away"},
        std::pair{"  over address limit", "connections_over_address"}}) {
    if (const std::string count = total(name); count != "0") row(title, count);
  }
  if (const auto dropped = number_of(status, "/log_lines_dropped"); dropped > 0) {
    row("log lines dropped", grouped(dropped));
  }
  row("latency to 202", percentiles(status, "/latency/accept"));
  row("latency to delivery", percentiles(status, "/latency/delivery"));
  row("webhooks", text_of(status, "/webhooks"));
  row("journal (preallocated)",
      grouped(number_of(status, "/storage/journal_bytes") >> 20) + " MiB");
  if (const auto damages = number_of(status, "/storage/journal_damages"); damages > 0) {
    row("  places DAMAGED",
        grouped(damages) + ": the log names them, `ringpost audit gaps` what is lost");
  }
  if (const auto carried = number_of(status, "/storage/events_carried"); carried > 0) {
    row("events carried forward", grouped(carried));
  }

  row("memory, at most", grouped(number_of(status, "/limits/memory_total") >> 20) + " of " +
                             grouped(number_of(status, "/limits/memory_max") >> 20) + " MiB");
  row("  pending per shard", grouped(number_of(status, "/limits/pending_max")));
  row("  attempts per shard", grouped(number_of(status, "/limits/attempts_in_flight_max")));

  simdjson::dom::array shards;
  if (status["shards"].get(shards) != simdjson::SUCCESS) return;
  Table table(
      {"", "SHARD", "EVENTS", "DELIVERED", "PENDING", "IN FLIGHT", "SYNCS", "CONNECTIONS OUT"});
  size_t index = 0;
  for (const simdjson::dom::element shard : shards) {
    const auto value = [&](const char* name) {
      return grouped(number_of(shard, std::string("/") + name));
    };
    table.add({"", std::to_string(index++), value("events_accepted"), value("deliveries_delivered"),
               value("deliveries_pending"), value("deliveries_in_flight"), value("syncs_completed"),
               value("connections_opened")});
  }
  std::printf("\n%s", table.to_text().c_str());
}

}  // namespace

void add_status_command(CLI::App& app, Session& session, Action& action) {
  CLI::App* command = app.add_subcommand(
      "status", "Show health, backlog, the last failure and figures of each shard");
  auto wait = std::make_shared<std::string>("0");
  command->add_option("--wait", *wait, "Wait at most this long until the relay is ready, e.g. 10s")
      ->type_name("TIME");
  auto ready = std::make_shared<bool>(false);
  command->add_flag("--ready", *ready,
                    "Say only whether the relay is ready, for health checks; needs no token");
  add_session_options(*command, session);
  command->callback([&, wait, ready] {
    action = [&session, wait, ready] {
      const auto wait_max = read_duration("--wait", *wait);
      if (const auto* problem = std::get_if<UsageProblem>(&wait_max)) return report_usage(*problem);
      session.anonymous = *ready;
      session.wait_until_ready(std::get<std::chrono::milliseconds>(wait_max));
      const auto answer = session.call("GET", *ready ? "/readyz" : "/v1/status");
      if (!answer) return session.failure_code();
      if (*ready) {
        if (!session.json) std::puts("ready");
        return 0;
      }
      simdjson::dom::parser parser;
      simdjson::dom::element status;
      if (!session.json && parse_answer(*answer, parser, status)) print(status);
      return 0;
    };
  });
}

}  // namespace ringpost::cli
