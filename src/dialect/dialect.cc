#include "dialect/dialect.h"

#include "base/assert.h"
#include "base/json_writer.h"
#include "http/problem.h"
#include "http/syntax.h"
#include "subscription/filter_rule.h"

#include <algorithm>
#include <array>

namespace ringpost::dialect {

using subscription::EventFacts;
using subscription::EventRule;
using subscription::Webhook;

bool Dialect::writes_header(std::string_view name) const {
  constexpr std::array<std::string_view, 4> names = {"content-type", "user-agent", "traceparent",
                                                     "date"};
  return http::begins_ignoring_case(name, "ringpost-") ||
         std::ranges::any_of(
             names, [&](auto written) { return http::equal_ignoring_case(name, written); });
}

std::string Dialect::object_to_event(std::string_view) const {
  return {};
}

std::string Dialect::object_to_source(std::string_view) const {
  return {};
}

std::string Dialect::object_to_native_url(std::string_view) const {
  return {};
}

std::optional<api::Problem> Dialect::read_settings(std::string_view json, Webhook&) const {
  if (json.find_first_not_of("{} \t\r\n") == std::string_view::npos) return std::nullopt;
  return api::invalid("settings", "must be empty: this dialect has none");
}

void Dialect::note_maker(const subscription::Token&, Webhook&) const {}

void Dialect::take_sources(std::string_view, const subscription::Token&, Webhook&) const {}

void Dialect::write_settings(JsonWriter& json, const Webhook&) const {
  json.begin_object().end_object();
}

std::unique_ptr<const EventRule> Dialect::make_rule(const Webhook&) const {
  return nullptr;
}

std::string Dialect::why_nothing_matches(const Webhook&) const {
  return {};
}

std::optional<EventFacts::RoutingPaths> Dialect::routing(std::string_view) const {
  return std::nullopt;
}

void Dialect::add_aliases(const EventFacts&, std::vector<std::string>&) const {}

bool Dialect::retries_status(uint16_t) const {
  return true;
}

std::variant<Dialect::Ping, std::string> Dialect::ping(const Webhook& webhook,
                                                       std::string_view) const {
  const std::string id = webhook.id.to_text();
  Ping ping{.source = "webhook/" + id};
  JsonWriter json{ping.data};
  json.begin_object().member("webhook", id).end_object();
  return ping;
}

bool Dialect::asks_first(const Webhook&) const {
  return false;
}

Verdict Dialect::verify(const Received&, std::string_view, const Freshness&) const {
  RINGPOST_UNREACHABLE();  // Its requests prove nothing.
}

std::string_view Dialect::delivery_of(const Received& received) const {
  return received.header("ringpost-delivery");
}

bool Dialect::owns_path(std::string_view) const {
  return false;
}

http::Response Dialect::refuse(const api::Problem& problem) const {
  return http::problem_response(problem);
}

http::Response Dialect::refuse_rate(const api::Rate& rate) const {
  api::Problem problem = api::refusal(429, "too many calls of this token or its organization");
  problem.retry_after_s = rate.tightest().reset_s;
  return refuse(problem);
}

api::Answer Dialect::handle(const api::Route&, const api::Call&, api::Management&) const {
  RINGPOST_UNREACHABLE();  // It has no routes.
}

std::string Dialect::group(const Webhook&) const {
  return {};
}

std::vector<std::string> Dialect::groups(const Webhook& webhook) const {
  return {group(webhook)};
}

bool Dialect::takes_calls(const Webhook&) const {
  return false;
}

// --- all of them ---------------------------------------------------------------------------------

const Dialect* find(std::string_view name) {
  for (const Dialect* dialect : all()) {
    if (dialect->name() == name) return dialect;
  }
  return nullptr;
}

const Dialect& of(const Webhook& webhook) {
  const Dialect* dialect = find(webhook.dialect);
  RINGPOST_ASSERT(dialect != nullptr);
  return *dialect;
}

const Dialect* owner_of_path(std::string_view path) {
  for (const Dialect* dialect : all()) {
    if (dialect->owns_path(path)) return dialect;
  }
  return nullptr;
}

std::string names() {
  std::string text;
  for (const Dialect* dialect : all()) {
    if (!text.empty()) text += ", ";
    text += dialect->name();
  }
  return text;
}

std::unique_ptr<Renderer> make_renderer(const Webhook& webhook) {
  return of(webhook).make_renderer(webhook);
}

EventFacts::RoutingPaths routing(std::string_view type) {
  for (const Dialect* dialect : all()) {
    if (const auto paths = dialect->routing(type)) return *paths;
  }
  return {};
}

namespace {

class BothRules final : public EventRule {
 public:
  BothRules(std::unique_ptr<const EventRule> first, std::unique_ptr<const EventRule> second)
      : first_(std::move(first)), second_(std::move(second)) {}

  bool wants(const EventFacts& event) const override {
    return first_->wants(event) && second_->wants(event);
  }

  std::string why_not(const EventFacts& event) const override {
    std::string reason = first_->why_not(event);
    return reason.empty() ? second_->why_not(event) : reason;
  }

 private:
  const std::unique_ptr<const EventRule> first_;
  const std::unique_ptr<const EventRule> second_;
};

/// Its webhook asks for nothing but that an event's other names are looked at.
class NamesRule final : public EventRule {
 public:
  bool wants(const EventFacts&) const override { return true; }
  std::string why_not(const EventFacts&) const override { return {}; }
};

bool names_alias(const Webhook& webhook) {
  return std::ranges::any_of(webhook.sources, [](const std::string& source) {
    if (source.ends_with('*')) return false;  // A pattern.
    return std::ranges::any_of(all(), [&](const Dialect* any) { return any->is_alias(source); });
  });
}

}  // namespace

std::shared_ptr<const EventRule> make_rule(const Webhook& webhook) {
  std::unique_ptr<const EventRule> filter = subscription::make_filter_rule(webhook.filter);
  std::unique_ptr<const EventRule> own = of(webhook).make_rule(webhook);
  if (filter == nullptr && own == nullptr && names_alias(webhook)) {
    static const auto rule = std::make_shared<const NamesRule>();  // One for all of them.
    return rule;
  }
  if (filter == nullptr) return own;
  if (own == nullptr) return filter;
  return std::make_shared<BothRules>(std::move(filter), std::move(own));
}

}  // namespace ringpost::dialect
