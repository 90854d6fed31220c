#include "base/clock.h"
#include "cli/commands.h"
#include "cli/refusal.h"
#include "cli/screen.h"
#include "cli/text.h"
#include "cli/top_view.h"

#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>
#include <utility>

namespace ringpost::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds interval_min{100};
constexpr milliseconds interval_max = std::chrono::hours(1);
constexpr size_t worst_max = 10;
/// Of the webhooks, which need a call for each 200 of them.
constexpr std::chrono::seconds webhooks_interval{10};
constexpr uint32_t webhooks_max = 1000;

struct TopOptions {
  std::string interval = "1s";
  bool once = false;
};

/// One answer of `GET /v1/status`.
struct Look {
  simdjson::dom::parser parser;
  simdjson::dom::element status;
  std::chrono::steady_clock::time_point at;
};

/// Asks the relay, and keeps what the last two answers were.
class Top {
 public:
  explicit Top(Session& session) : session_(session) {}

  /// @returns whether to go on: false after a refusal, or if the relay was never reached.
  bool look() {
    std::string problem;
    const auto answer = session_.request("GET", "/v1/status", problem);
    if (!answer) return fail(problem);
    auto now = std::make_unique<Look>();
    now->at = std::chrono::steady_clock::now();
    if (!answer->ok() || !parse_answer(*answer, now->parser, now->status)) {
      const bool passes = answer->status == 429 || answer->status >= 500;
      if (passes && now_ != nullptr) return fail(explain_refusal(*answer, "/v1/status"));
      refusal_ = *answer;
      return false;
    }
    notice_.clear();
    before_ = std::exchange(now_, std::move(now));
    return true;
  }

  /// Which webhooks are in trouble. A token that may not see them leaves them out.
  void look_at_webhooks() {
    const auto now = std::chrono::steady_clock::now();
    if (worst_ && now - webhooks_at_ < webhooks_interval) return;
    webhooks_at_ = now;
    std::vector<TroubledWebhook> worst;
    std::string cursor;
    for (uint32_t count = 0; count < webhooks_max; count += 200) {
      std::string problem;
      const auto answer = session_.request(
          "GET", with_query("/v1/webhooks", {{"limit", "200"}, {"cursor", cursor}}), problem);
      simdjson::dom::parser parser;
      simdjson::dom::element page;
      simdjson::dom::array items;
      if (!answer || !answer->ok() || !parse_answer(*answer, parser, page)) return;
      if (page["items"].get(items) != simdjson::SUCCESS) return;
      for (const simdjson::dom::element item : items) add_if_troubled(item, worst_max, worst);
      cursor = raw_text_of(page, "/next_cursor");
      if (cursor.empty()) break;
    }
    worst_ = std::move(worst);
  }

  std::vector<std::string> show(std::string hint) const {
    const std::chrono::duration<double> between =
        before_ != nullptr ? now_->at - before_->at : std::chrono::duration<double>{};
    return show_top({.status = now_->status,
                     .before = before_ != nullptr ? &before_->status : nullptr,
                     .seconds = between.count(),
                     .worst = worst_ ? &*worst_ : nullptr,
                     .url = session_.client.url,
                     .hint = std::move(hint),
                     .notice = notice_,
                     .now = to_rfc3339(wall_now())});
  }

  /// Prints why `look` returned false. @returns the exit code.
  int report() {
    if (refusal_) session_.accept(*refusal_, "/v1/status");
    if (refusal_ || session_.failure_code() != 0) return session_.failure_code();
    return session_.report_unreachable(problem_);
  }

 private:
  bool fail(const std::string& problem) {
    problem_ = problem;
    if (now_ == nullptr) return false;
    notice_ = "The figures are old: " + shown(problem);
    return true;
  }

  Session& session_;
  std::unique_ptr<Look> before_;
  std::unique_ptr<Look> now_;
  std::optional<std::vector<TroubledWebhook>> worst_;
  std::chrono::steady_clock::time_point webhooks_at_;
  std::string notice_;
  std::string problem_;
  std::optional<Answer> refusal_;
};

/// For scripts, and terminals that cannot be drawn on.
int print_once(Top& top, milliseconds interval) {
  if (!top.look()) return top.report();
  std::this_thread::sleep_for(interval);
  if (!top.look()) return top.report();
  top.look_at_webhooks();
  for (const std::string& line : top.show({})) std::printf("%s\n", line.c_str());
  return 0;
}

int run_live(Top& top, milliseconds interval, const std::string& interval_text) {
  if (!top.look()) return top.report();
  const std::string hint = "every " + interval_text + ", q ends";
  auto screen = std::make_unique<Screen>();
  auto next = std::chrono::steady_clock::now();
  while (true) {
    top.look_at_webhooks();
    const Screen::Size size = screen->size();
    screen->draw(fit(top.show(hint), size.columns, size.rows));
    next = std::max(next + interval, std::chrono::steady_clock::now() + interval_min);
    Screen::Wake wake = Screen::Wake::resized;
    while (wake == Screen::Wake::resized) {
      wake = screen->wait(std::chrono::ceil<milliseconds>(next - std::chrono::steady_clock::now()));
      const Screen::Size now = screen->size();
      if (wake == Screen::Wake::resized) screen->draw(fit(top.show(hint), now.columns, now.rows));
    }
    if (wake == Screen::Wake::quit) return 0;
    if (top.look()) continue;
    screen.reset();
    return top.report();
  }
}

int top(Session& session, const TopOptions& options) {
  const auto read = read_duration("--interval", options.interval);
  if (const auto* problem = std::get_if<UsageProblem>(&read)) return report_usage(*problem);
  const auto interval = std::get<milliseconds>(read);
  if (interval < interval_min || interval > interval_max) {
    return report_usage({"--interval must be between 100ms and 1h"});
  }
  if (session.json) return session.call("GET", "/v1/status") ? 0 : session.failure_code();
  Top shown_top(session);
  if (options.once || !Screen::usable()) return print_once(shown_top, interval);
  return run_live(shown_top, interval, shown(options.interval));
}

}  // namespace

void add_top_command(CLI::App& app, Session& session, Action& action) {
  CLI::App* command =
      app.add_subcommand("top", "Show what the relay does now, and go on showing it");
  auto options = std::make_shared<TopOptions>();
  command->add_option("--interval", options->interval, "Time between two readings")
      ->type_name("TIME")
      ->capture_default_str();
  command->add_flag("--once", options->once,
                    "Print it once, after one interval; the same where output is not a terminal");
  add_session_options(*command, session);
  add_notes(*command,
            "Events, deliveries and failures in a second are differences between the last two "
            "readings; the other figures count since the start of the relay. The webhooks in "
            "trouble are those of the token's organization, among its newest 1,000. q or Ctrl-C "
            "ends it. With --json it prints one reading. Requires an operator token.\n"
            "\n"
            "  ringpost top\n"
            "  ringpost top --once --interval 10s");
  command->callback(
      [&, options] { action = [&session, options] { return top(session, *options); }; });
}

}  // namespace ringpost::cli
