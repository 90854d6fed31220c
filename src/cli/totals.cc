#include "cli/totals.h"

#include "cli/text.h"
#include "cli/time_range.h"

namespace ringpost::cli {
namespace {

struct TotalsOptions {
  std::string id;
  std::string since;
  std::string until;
  std::string step;
  std::string cursor;
  uint32_t limit = 50;
};

std::vector<std::string> header(const char* first) {
  return {first, "EVENTS", "DELIVERED", "FAILED", "DEAD", "CANCELLED", "P50 MS", "P99 MS"};
}

std::vector<std::string> cells(std::string first, simdjson::dom::element item) {
  std::vector<std::string> cells{std::move(first)};
  for (const char* member :
       {"/events", "/delivered", "/failed", "/dead", "/cancelled", "/p50_ms", "/p99_ms"}) {
    uint64_t number = 0;
    const bool none = item.at_pointer(member).get(number) != simdjson::SUCCESS;
    cells.push_back(none ? "-" : grouped(number));
  }
  return cells;
}

int by_time(Session& session, const TotalsOptions& options) {
  const auto answer = session.call(
      "GET",
      with_query("/v1/webhooks/" + percent_encoded(options.id) + "/totals",
                 {{"since", options.since}, {"until", options.until}, {"step", options.step}}));
  if (!answer) return session.failure_code();
  if (session.json) return 0;
  simdjson::dom::parser parser;
  simdjson::dom::element totals;
  simdjson::dom::array items;
  if (!parse_answer(*answer, parser, totals) || totals["items"].get(items)) return exit_refused;
  Table table(header("FROM"));
  for (const simdjson::dom::element item : items) {
    table.add(cells(short_time(text_of(item, "/at")), item));
  }
  session.print(table, "That time is still to come.\n");
  if (text_of(totals, "/cut") == "true") {
    std::printf("… older ones are left out; go on with --until %s\n",
                text_of(totals, "/since").c_str());
  }
  return 0;
}

int by_webhook(Session& session, const TotalsOptions& options) {
  if (!options.step.empty()) {
    return report_usage({"--step is for one webhook: give its id, or leave --step out"});
  }
  Table table(header("WEBHOOK"));
  const bool done = session.for_each_item(
      with_query("/v1/totals?by=webhook", {{"since", options.since}, {"until", options.until}}),
      {options.limit, options.cursor},
      [&](auto item) { table.add(cells(text_of(item, "/webhook"), item)); });
  if (!done) return session.failure_code();
  session.print(table, "There are no webhooks.\n");
  return 0;
}

constexpr const char* notes =
    "With ID: for each hour or day. Without: for each webhook, of the whole time. The time is the "
    "last 24 hours, or with --step 1d the last 30 days; the history goes back as far as "
    "journal.retention_age. FAILED counts attempts. P50 and P99 say in how many milliseconds after "
    "its event half, and 99 %, of what was delivered had arrived.\n"
    "\n"
    "  ringpost webhook totals\n"
    "  ringpost webhook totals 01JARQ5Z --step 1d --since 2031-05-01T00:00:00Z";

}  // namespace

void add_totals_command(CLI::App& group, Session& session, Action& action) {
  auto options = std::make_shared<TotalsOptions>();
  CLI::App* command =
      group.add_subcommand("totals", "Count deliveries by hour or day, or of each webhook");
  command->add_option("ID", options->id, "A webhook's id; default: each webhook");
  add_time_range(*command, options->since, options->until, "What happened");
  suggest(
      command->add_option("--step", options->step, "What is counted together")->type_name("STEP"),
      {"1h", "1d"});
  add_range_options(*command, options->limit, options->cursor);
  add_session_options(*command, session);
  add_notes(*command, notes);
  command->callback([&, options] {
    action = [&session, options] {
      return options->id.empty() ? by_webhook(session, *options) : by_time(session, *options);
    };
  });
}

}  // namespace ringpost::cli
