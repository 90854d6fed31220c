#include "dialect/git_status/git_status.h"

#include "dialect/content.h"
#include "dialect/dialect.h"
#include "dialect/git_status/build_status.h"
#include "dialect/git_status/renderer.h"
#include "dialect/git_status/settings.h"
#include "http/syntax.h"
#include "subscription/patterns.h"

#include <algorithm>
#include <array>

namespace ringpost::dialect::git_status {
namespace {

using subscription::EventFacts;
using subscription::EventRule;
using subscription::Webhook;

/// Buildkite's builds may begin without a commit: the first event that knows it says more.
bool waits_for_commit(json::Document& data) {
  static const json::Path commit = json::Path::constant("build.commit");
  return data.scalar(commit).text == "HEAD";
}

class StatusRule final : public EventRule {
 public:
  bool wants(const EventFacts& event) const override {
    return state_of(event.type(), event.data()).has_value() && !waits_for_commit(event.data());
  }

  std::string why_not(const EventFacts& event) const override {
    if (!state_of(event.type(), event.data())) return "it does not say what state a build is in";
    return waits_for_commit(event.data()) ? "its build has no commit yet" : "";
  }
};

class GitStatus final : public Dialect {
 public:
  std::string_view name() const override { return "git-status"; }

  /// One request at a time: two about one commit must not overtake each other.
  Webhook defaults() const override {
    Webhook webhook;
    webhook.dialect = name();
    webhook.events = {"build/*", "build.*", "action.*"};
    webhook.schedule_s = subscription::default_schedule();
    webhook.timeout_ms = 10'000;
    webhook.concurrency_max = 1;
    return webhook;
  }

  std::string_view why_secret_is_required() const override {
    return "is required: a token of the git host that may write commit statuses";
  }

  std::string_view object_to_secret(std::string_view secret) const override {
    const bool visible = !secret.empty() && std::ranges::all_of(secret, [](char byte) {
      return byte > ' ' && byte < '\x7f';
    });
    if (visible) return {};
    return "must be the git host's token: visible ASCII characters without spaces";
  }

  bool writes_header(std::string_view header) const override {
    constexpr std::array<std::string_view, 4> ours{"authorization", "private-token", "accept",
                                                   "x-github-api-version"};
    return Dialect::writes_header(header) || std::ranges::any_of(ours, [&](auto written) {
             return http::equal_ignoring_case(header, written);
           });
  }

  std::string object_to_event(std::string_view pattern) const override {
    const auto matched = [&](std::string_view type) {
      return subscription::event_matches(pattern, type);
    };
    if (std::ranges::any_of(event_types(), matched)) return {};
    std::string text = "is not about builds; these are:";
    for (const std::string_view type : event_types()) {
      text.append(type == event_types().front() ? " " : ", ").append(type);
    }
    return text + ", and patterns such as \"build.*\"";
  }

  std::optional<api::Problem> read_settings(std::string_view json,
                                            Webhook& webhook) const override {
    Settings settings = Settings::of(webhook);
    if (auto problem = settings.merge(json)) return problem;
    const auto objection = object_to_url(*settings.host, webhook.destination);
    if (!objection.empty()) return api::invalid("url", objection);
    webhook.settings.clear();
    JsonWriter writer{webhook.settings};
    settings.write(writer);
    return std::nullopt;
  }

  void write_settings(JsonWriter& json, const Webhook& webhook) const override {
    Settings::of(webhook).write(json);
  }

  std::unique_ptr<const EventRule> make_rule(const Webhook&) const override {
    return std::make_unique<StatusRule>();
  }

  std::unique_ptr<Renderer> make_renderer(const Webhook& webhook) const override {
    return make_status_renderer(webhook);
  }

  bool can_send(const journal::EventView& event) const override { return data_is_object(event); }

  /// The hosts' words for a request that stays wrong. A token or a repository may be put right in
  /// between (401, 403, 404), and so may a rate limit (403, 429).
  bool retries_status(uint16_t status) const override {
    constexpr std::array<uint16_t, 6> final_ones{400, 405, 413, 414, 415, 422};
    return std::ranges::find(final_ones, status) == final_ones.end();
  }

  bool newer_supersedes_older(const Webhook&) const override { return true; }

  std::variant<Ping, std::string> ping(const Webhook&, std::string_view) const override {
    return "A git-status webhook cannot be pinged, since a status belongs to a commit: send an "
           "event of a build instead.";
  }

  ExampleEvent example_event() const override { return {"build.finished", "pipeline/app"}; }
};

}  // namespace

const Dialect& dialect() {
  static const GitStatus dialect;
  return dialect;
}

}  // namespace ringpost::dialect::git_status
