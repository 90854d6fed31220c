#include "cli/commands.h"
#include "cli/event_stream.h"
#include "cli/follow.h"
#include "cli/json.h"
#include "cli/text.h"
#include "cli/view.h"

#include <cstdio>
#include <utility>

namespace ringpost::cli {
namespace {

struct TailOptions {
  std::string webhook;
  DeliveryFilter filter;
  bool attempts = false;
  uint64_t count = 0;  ///< 0: without end.
};

std::string target_of(const TailOptions& options) {
  const DeliveryFilter& filter = options.filter;
  return with_query("/v1/stream", {{"webhook", options.webhook},
                                   {"source", filter.source},
                                   {"type", filter.type},
                                   {"status", filter.status},
                                   {"error", filter.error},
                                   {"response_status", filter.response_status},
                                   {"attempts", options.attempts ? "true" : ""}});
}

/// Prints what a stream tells, at once: a reader of our pipe may wait for it.
class Tail {
 public:
  Tail(bool json, uint64_t count) : json_(json), left_(count) {}

  /// The relay answers: from now on nothing is missed.
  void on_begin() {
    if (json_ || std::exchange(has_begun_, true)) return;
    print_row("TIME", "STATUS", "RESULT", "TYPE", "SOURCE", "DELIVERY");
    std::fflush(stdout);
  }

  /// @returns whether to go on.
  bool take(const StreamEvent& event) {
    simdjson::dom::parser parser;
    simdjson::dom::element object;
    if (!parse_json(event.data, parser, object) || !object.is_object()) return true;
    if (event.type == "notice") {
      std::fprintf(stderr, "ringpost: %s\n", text_of(object, "/detail").c_str());
      return true;
    }
    if (json_) {
      std::printf("%s\n", shown_json(event.data).c_str());
    } else {
      print(object);
    }
    is_broken_ = std::fflush(stdout) != 0;
    if (left_ > 0 && --left_ == 0) is_done_ = true;
    return !is_broken_ && !is_done_;
  }

  bool is_broken() const { return is_broken_; }  ///< Nobody reads what is printed.
  bool is_done() const { return is_done_; }

 private:
  static void print(simdjson::dom::element delivery) {
    std::string time = text_of(delivery, "/last_attempt/started_at");
    if (time.empty()) time = text_of(delivery, "/created_at");
    print_row(short_time(time), text_of(delivery, "/status"), result_of(delivery),
              text_of(delivery, "/event/type"), text_of(delivery, "/event/source"),
              text_of(delivery, "/id"));
  }
  static void print_row(const std::string& time, const std::string& status,
                        const std::string& result, const std::string& type,
                        const std::string& source, const std::string& id) {
    std::printf("%-19s  %-9s  %-10s  %-20s  %-20s  %s\n", time.c_str(), status.c_str(),
                result.c_str(), type.c_str(), source.c_str(), id.c_str());
  }

  const bool json_;
  uint64_t left_;
  bool has_begun_ = false;
  bool is_broken_ = false;
  bool is_done_ = false;
};

int tail(Session& session, const TailOptions& options) {
  Tail shown_tail(session.json, options.count);
  return follow_stream(session, target_of(options),
                       {.on_begin = [&] { shown_tail.on_begin(); },
                        .take = [&](const StreamEvent& event) { return shown_tail.take(event); },
                        // What cannot be printed is said at exit.
                        .is_over = [&] { return shown_tail.is_done() || shown_tail.is_broken(); }});
}

constexpr const char* notes =
    "Shows each delivery when it has been delivered, given up or cancelled, until Ctrl-C ends the "
    "command. After a lost connection, or a restart of the relay, it goes on after the last "
    "delivery shown, so that none is missed; where the history does not reach back that far, it "
    "says "
    "so. With --json each line is one delivery, as lists have "
    "it. The scope is deliveries:read.\n"
    "\n"
    "  ringpost delivery tail\n"
    "  ringpost delivery tail --status dead\n"
    "  ringpost delivery tail --type build/finished --attempts\n"
    "  ringpost delivery tail --json --count 10";

}  // namespace

void add_tail_command(CLI::App& deliveries, Session& session, Action& action) {
  CLI::App* command = deliveries.add_subcommand("tail", "Show deliveries as they end");
  auto options = std::make_shared<TailOptions>();
  command->add_option("WEBHOOK", options->webhook,
                      "The webhook's id; default: all of the organization");
  add_result_filter(*command, options->filter, {"pending", "delivered", "dead", "cancelled"});
  command->add_flag("--attempts", options->attempts,
                    "Also failed attempts that are followed by others (status pending)");
  command->add_option("--count", options->count, "End after this many")
      ->type_name("COUNT")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1'000'000'000}));
  add_session_options(*command, session);
  add_notes(*command, notes);
  command->callback(
      [&, options] { action = [&session, options] { return tail(session, *options); }; });
}

}  // namespace ringpost::cli
