#include "control/webhook_json.h"

#include "dialect/dialect.h"
#include "net/tls.h"
#include "subscription/branch_patterns.h"
#include "subscription/data_condition.h"
#include "subscription/patterns.h"

#include <algorithm>
#include <array>

namespace ringpost::control {

namespace dom = simdjson::dom;
using subscription::Webhook;
using subscription::WebhookState;

namespace {

/// One reading of a body: which webhook it changes, and what a missing member means.
struct Reading {
  JsonBody& body;
  Webhook& webhook;
  const WebhookChecks& checks;
  const Webhook& defaults;
  const subscription::Token& by;
  bool creates = false;
  const std::vector<std::string> sources_before{webhook.sources};
  const std::vector<std::string> events_before{webhook.events};

  /// Whether the webhook gets events of other sources or types now: what is said again as it is
  /// changes nothing.
  bool rerouted() const {
    return webhook.sources != sources_before || webhook.events != events_before;
  }
};

using Outcome = std::optional<Problem>;

std::string entry_name(std::string_view member, size_t index) {
  return std::string{member} + "[" + std::to_string(index) + "]";
}

// --- members of a webhook, in the order of the documentation -------------------------------------

Outcome read_description(Reading& reading, dom::element value) {
  return read(value, "description", api::webhook_text_bytes_max, reading.webhook.description);
}

/// A webhook does not move. Whose token may make one for another organization is `Management`'s.
Outcome read_organization(Reading& reading, dom::element value) {
  std::string organization;
  if (auto problem = read(value, "organization", api::webhook_text_bytes_max, organization)) {
    return problem;
  }
  if (!reading.creates) {
    if (organization == reading.webhook.organization) return std::nullopt;
    return invalid("organization", "cannot be changed");
  }
  const auto objection = subscription::object_to_organization(organization);
  if (!objection.empty()) return invalid("organization", objection);
  reading.webhook.organization = std::move(organization);
  return std::nullopt;
}

Outcome read_url(Reading& reading, dom::element value) {
  std::string text;
  if (auto problem = read(value, "url", api::webhook_url_bytes_max, text)) return problem;
  const std::string objection = dialect::of(reading.webhook).object_to_native_url(text);
  if (!objection.empty()) return invalid("url", objection);
  auto parsed = api::read_destination("url", text);
  if (auto* problem = std::get_if<Problem>(&parsed)) return std::move(*problem);
  auto& destination = std::get<subscription::Destination>(parsed);
  if (reading.checks.allow_destination && !reading.webhook.is_listener) {
    if (const auto denied = reading.checks.allow_destination(destination)) {
      return invalid("url", *denied);
    }
  }
  reading.webhook.destination = std::move(destination);
  return std::nullopt;
}

/// Why a pattern is not taken, by the core's rules or by the dialect's; empty if it is.
using Objects = std::function<std::string(std::string_view pattern)>;

Outcome read_patterns(dom::element value, std::string_view member, const Objects& object,
                      std::vector<std::string>& out) {
  dom::array entries;
  if (auto problem = read_array(value, member, api::webhook_patterns_max, entries)) return problem;
  if (entries.size() == 0) return invalid(member, "must have at least one entry");
  std::vector<std::string> patterns;
  for (dom::element entry : entries) {
    const std::string name = entry_name(member, patterns.size());
    std::string pattern;
    if (auto problem = read(entry, name, subscription::source_bytes_max, pattern)) return problem;
    if (const auto objection = object(pattern); !objection.empty()) return invalid(name, objection);
    patterns.push_back(std::move(pattern));
  }
  out = std::move(patterns);
  return std::nullopt;
}

/// What is there may stay, also if the dialect would not take it today.
bool holds(const std::vector<std::string>& patterns, std::string_view pattern) {
  return std::ranges::find(patterns, pattern) != patterns.end();
}

Outcome read_sources(Reading& reading, dom::element value) {
  Webhook& webhook = reading.webhook;
  const auto object = [&](std::string_view pattern) -> std::string {
    const auto objection = subscription::object_to_source_pattern(pattern);
    if (!objection.empty()) return std::string{objection};
    return holds(webhook.sources, pattern) ? "" : dialect::of(webhook).object_to_source(pattern);
  };
  return read_patterns(value, "sources", object, webhook.sources);
}

Outcome read_events(Reading& reading, dom::element value) {
  Webhook& webhook = reading.webhook;
  const auto object = [&](std::string_view pattern) -> std::string {
    const auto objection = subscription::object_to_event_pattern(pattern);
    if (!objection.empty()) return std::string{objection};
    return holds(webhook.events, pattern) ? "" : dialect::of(webhook).object_to_event(pattern);
  };
  return read_patterns(value, "events", object, webhook.events);
}

Outcome read_names(dom::element value, std::string_view member, std::vector<std::string>& out) {
  dom::array entries;
  if (auto problem = read_array(value, member, api::webhook_filter_entries_max, entries))
    return problem;
  std::vector<std::string> names;
  for (dom::element entry : entries) {
    const std::string place = entry_name(member, names.size());
    std::string name;
    if (auto problem = read(entry, place, subscription::source_bytes_max, name)) return problem;
    const auto objection = subscription::object_to_name(name, subscription::source_bytes_max);
    if (!objection.empty()) return invalid(place, objection);
    names.push_back(std::move(name));
  }
  out = std::move(names);
  return std::nullopt;
}

Outcome read_branches(dom::element value, std::string& out) {
  std::string text;
  if (auto problem =
          read(value, "filter.branches", subscription::BranchPatterns::bytes_max, text)) {
    return problem;
  }
  const auto objection = subscription::BranchPatterns::object_to(text);
  if (!objection.empty()) return invalid("filter.branches", objection);
  out = std::move(text);
  return std::nullopt;
}

/// As a whole: conditions do not merge.
Outcome read_data(Reading& reading, dom::element value, std::string& out) {
  dom::object object;  // A text might hold anything, and its text is what `compact` gives.
  if (auto problem = read_object(value, "filter.data", object)) return problem;
  std::string text = reading.body.compact("filter.data");
  const auto compiled = subscription::DataCondition::compile(text);
  if (const auto* problem = std::get_if<subscription::DataConditionProblem>(&compiled)) {
    const std::string separator = problem->member.empty() ? "" : ".";
    return invalid("filter.data" + separator + problem->member, problem->reason);
  }
  out = std::move(text);
  return std::nullopt;
}

Outcome read_filter(Reading& reading, dom::element value) {
  dom::object object;
  if (auto problem = read_object(value, "filter", object)) return problem;
  subscription::Filter filter = reading.webhook.filter;
  for (const auto [name, part] : object) {
    Outcome problem;
    if (name == "branches") {
      if (part.is_null()) filter.branches.clear();
      if (!part.is_null()) problem = read_branches(part, filter.branches);
    } else if (name == "teams" || name == "clusters") {
      auto& names = name == "teams" ? filter.teams : filter.clusters;
      if (part.is_null()) names.clear();
      if (!part.is_null()) problem = read_names(part, "filter." + std::string{name}, names);
    } else if (name == "data") {
      if (part.is_null()) filter.data.clear();
      if (!part.is_null()) problem = read_data(reading, part, filter.data);
    } else {
      problem = invalid("filter." + std::string{name}, "is not a member of a filter");
    }
    if (problem) return problem;
  }
  reading.webhook.filter = std::move(filter);
  return std::nullopt;
}

using api::Headers;

Outcome merge_header(Reading& reading, std::string_view name, dom::element value,
                     Headers& headers) {
  const std::string member =
      "headers." + std::string{name.substr(0, api::webhook_header_name_bytes_max)};
  const auto found = api::find_header(headers, name);
  if (value.is_null() && !reading.creates) {
    if (found != headers.end()) headers.erase(found);
    return std::nullopt;
  }
  std::string text;
  if (auto problem = read(value, member, api::webhook_header_value_bytes_max, text)) return problem;
  if (auto problem = api::check_header(member, name, text)) return problem;
  if (dialect::of(reading.webhook).writes_header(name)) {
    return invalid(member, "is reserved and cannot be set");
  }
  if (dialect::is_masked_credential(name, text)) {  // As it was shown: it stays what it is.
    if (found != headers.end()) return std::nullopt;
    return invalid(member, "is the placeholder for a hidden value; send the real value");
  }
  if (found == headers.end()) {
    headers.emplace_back(name, std::move(text));
  } else {
    *found = {std::string{name}, std::move(text)};
  }
  return std::nullopt;
}

Outcome read_headers(Reading& reading, dom::element value) {
  dom::object object;
  if (auto problem = read_object(value, "headers", object)) return problem;
  if (auto problem = api::check_names_differ("headers", object)) return problem;
  Headers headers = reading.webhook.headers;
  for (const auto [name, content] : object) {
    if (auto problem = merge_header(reading, name, content, headers)) return problem;
  }
  if (auto problem = api::check_headers("headers", headers)) return problem;
  reading.webhook.headers = std::move(headers);
  return std::nullopt;
}

Outcome read_secret(Reading& reading, dom::element value) {
  std::string secret;
  if (auto problem = read(value, "secret", api::webhook_secret_bytes_max, secret)) return problem;
  if (auto problem = check_secret(reading.webhook.dialect, secret)) return problem;
  if (secret != reading.webhook.secret) {  // At once: for an overlap there is rotate-secret.
    reading.webhook.previous_secret.clear();
    reading.webhook.previous_secret_until = {};
  }
  reading.webhook.secret = std::move(secret);
  return std::nullopt;
}

Outcome read_ca(Reading& reading, dom::element value) {
  std::string ca;
  if (auto problem = read(value, "tls.ca", api::webhook_ca_bytes_max, ca)) return problem;
  if (!ca.empty() && reading.checks.check_ca) {
    if (const auto wrong = reading.checks.check_ca(ca)) return invalid("tls.ca", *wrong);
  }
  reading.webhook.tls_ca = std::move(ca);
  return std::nullopt;
}

Outcome read_tls(Reading& reading, dom::element value) {
  dom::object tls;
  if (auto problem = read_object(value, "tls", tls)) return problem;
  for (const auto [name, part] : tls) {
    const bool resets = part.is_null();
    Outcome problem;
    if (name == "verify") {
      if (resets) reading.webhook.tls_verify = true;
      if (!resets) problem = read(part, "tls.verify", reading.webhook.tls_verify);
    } else if (name == "ca") {
      if (resets) reading.webhook.tls_ca.clear();
      if (!resets) problem = read_ca(reading, part);
    } else if (name == "client_certificate" || name == "client_key") {
      std::string_view text;
      const bool empty = part.is_null() || (part.get(text) == simdjson::SUCCESS && text.empty());
      if (!empty) {
        problem =
            invalid("tls." + std::string{name}, "is not supported by this version; leave it out");
      }
    } else {
      problem = invalid("tls." + std::string{name}, "is not a member of tls");
    }
    if (problem) return problem;
  }
  return std::nullopt;
}

Outcome read_schedule(Reading& reading, dom::element value) {
  dom::array entries;
  if (auto problem = read_array(value, "schedule", api::webhook_schedule_max, entries))
    return problem;
  std::vector<uint32_t> schedule;
  for (dom::element entry : entries) {
    uint32_t seconds = 0;
    const std::string name = entry_name("schedule", schedule.size());
    if (auto problem = read(entry, name, 1, api::webhook_schedule_s_max, seconds)) return problem;
    schedule.push_back(seconds);
  }
  reading.webhook.schedule_s = std::move(schedule);
  return std::nullopt;
}

Outcome read_timeout(Reading& reading, dom::element value) {
  return read(value, "timeout_ms", api::webhook_timeout_ms_min, api::webhook_timeout_ms_max,
              reading.webhook.timeout_ms);
}

Outcome read_concurrency(Reading& reading, dom::element value) {
  return read(value, "concurrency_max", 1, api::webhook_concurrency_max,
              reading.webhook.concurrency_max);
}

Outcome read_rate(Reading& reading, dom::element value) {
  reading.webhook.rate_per_second = 0;
  if (value.is_null()) return std::nullopt;
  return read(value, "rate_per_second", 1, api::webhook_rate_per_second_max,
              reading.webhook.rate_per_second);
}

Outcome read_ordering(Reading&, dom::element value) {
  std::string ordering;
  if (auto problem = read(value, "ordering", api::webhook_text_bytes_max, ordering)) return problem;
  if (ordering == "none") return std::nullopt;
  if (ordering != "key") return invalid("ordering", "must be \"none\"");
  return invalid("ordering", "\"key\" is not supported by this version; only \"none\" is");
}

Outcome read_enabled(Reading& reading, dom::element value) {
  bool enabled = true;
  if (auto problem = read(value, "enabled", enabled)) return problem;
  Webhook& webhook = reading.webhook;
  if (enabled == webhook.active()) return std::nullopt;
  webhook.state = enabled ? WebhookState::active : WebhookState::disabled;
  webhook.state_reason = enabled ? "" : "disabled over the API";
  return std::nullopt;
}

/// How a member is read, and what null means to a patch (nothing: null is not taken).
struct Member {
  std::string_view name;
  Outcome (*read)(Reading&, dom::element);
  void (*reset)(Reading&);
};

constexpr std::array members = {
    Member{"description", read_description, [](Reading& r) { r.webhook.description.clear(); }},
    Member{"organization", read_organization, nullptr},
    Member{"url", read_url, nullptr},
    Member{"sources", read_sources, [](Reading& r) { r.webhook.sources = r.defaults.sources; }},
    Member{"events", read_events, [](Reading& r) { r.webhook.events = r.defaults.events; }},
    Member{"filter", read_filter, [](Reading& r) { r.webhook.filter = r.defaults.filter; }},
    Member{"headers", read_headers, [](Reading& r) { r.webhook.headers.clear(); }},
    Member{"secret", read_secret, nullptr},
    Member{"tls", read_tls,
           [](Reading& r) {
             r.webhook.tls_verify = r.defaults.tls_verify;
             r.webhook.tls_ca.clear();
           }},
    Member{"schedule", read_schedule,
           [](Reading& r) { r.webhook.schedule_s = r.defaults.schedule_s; }},
    Member{"timeout_ms", read_timeout,
           [](Reading& r) { r.webhook.timeout_ms = r.defaults.timeout_ms; }},
    Member{"concurrency_max", read_concurrency,
           [](Reading& r) { r.webhook.concurrency_max = r.defaults.concurrency_max; }},
    Member{"rate_per_second", read_rate, [](Reading& r) { r.webhook.rate_per_second = 0; }},
    Member{"ordering", read_ordering, [](Reading&) {}},
    Member{"enabled", read_enabled, nullptr},
};

constexpr std::array<std::string_view, 13> members_read_only = {"id",
                                                                "listener",
                                                                "state",
                                                                "state_reason",
                                                                "paused_until",
                                                                "circuit",
                                                                "permission",
                                                                "permission_reason",
                                                                "warnings",
                                                                "created_at",
                                                                "updated_at",
                                                                "dialect",
                                                                "previous_secret_until"};

Outcome read_member(Reading& reading, std::string_view name, dom::element value) {
  for (const Member& member : members) {
    if (member.name != name) continue;
    if (!value.is_null() || member.read == read_rate) return member.read(reading, value);
    if (reading.creates) return invalid(name, "must not be null; leave it out instead");
    if (member.reset == nullptr) {
      return invalid(name,
                     "cannot be reset, as it has no default: give it a value, or leave it out");
    }
    member.reset(reading);
    return std::nullopt;
  }
  const bool read_only = std::find(members_read_only.begin(), members_read_only.end(), name) !=
                         members_read_only.end();
  return invalid(name, read_only ? "cannot be set" : "is not a member of a webhook");
}

Outcome read_dialect(dom::object body, const dialect::Dialect*& chosen) {
  const Webhook unsaid;
  chosen = dialect::find(unsaid.dialect);
  dom::element value;
  if (body.at_key("dialect").get(value) != simdjson::SUCCESS) return std::nullopt;
  std::string text;
  if (auto problem = read(value, "dialect", api::webhook_text_bytes_max, text)) return problem;
  chosen = dialect::find(text);
  if (chosen == nullptr) return invalid("dialect", "must be one of " + dialect::names());
  return std::nullopt;
}

Outcome read_members(Reading& reading) {
  for (const auto [name, value] : reading.body.root()) {
    if (reading.creates && name == "dialect") continue;  // Read first: it decides on the defaults.
    if (name == "settings") continue;  // Read last: they may decide on other members.
    if (auto problem = read_member(reading, name, value)) return problem;
  }
  return std::nullopt;
}

/// The dialect reads its settings itself, and may have words of its own for what was read before.
Outcome read_settings(Reading& reading) {
  JsonBody& body = reading.body;
  dom::element value;
  const bool given = body.root().at_key("settings").get(value) == simdjson::SUCCESS;
  const bool rerouted = reading.rerouted();
  if (!given && !rerouted && !reading.creates) return std::nullopt;
  dom::object object;
  if (given) {
    if (auto problem = read_object(value, "settings", object)) return problem;
  }
  const std::string text = given ? body.compact("settings") : "{}";
  if (text.size() > api::webhook_settings_bytes_max) {
    return invalid("settings",
                   "is longer than " + std::to_string(api::webhook_settings_bytes_max) + " bytes");
  }
  const dialect::Dialect& dialect = dialect::of(reading.webhook);
  if (given || reading.creates) {
    if (auto problem = dialect.read_settings(text, reading.webhook)) return problem;
  }
  if (rerouted) dialect.take_sources(text, reading.by, reading.webhook);
  if (reading.creates) dialect.note_maker(reading.by, reading.webhook);
  return std::nullopt;
}

}  // namespace

std::optional<Problem> check_secret(std::string_view dialect, std::string_view secret) {
  const dialect::Dialect& owner = *dialect::find(dialect);
  if (secret.empty() && !owner.why_secret_is_required().empty()) {
    return invalid("secret", owner.why_secret_is_required());
  }
  if (secret.empty() && owner.mint_secret().empty()) return std::nullopt;
  const std::string_view objection = owner.object_to_secret(secret);
  if (objection.empty()) return std::nullopt;
  return invalid("secret", objection);
}

std::optional<Problem> create_webhook(JsonBody& body, const WebhookChecks& checks,
                                      const subscription::Token& by, Webhook& webhook) {
  const dialect::Dialect* chosen = nullptr;
  if (auto problem = read_dialect(body.root(), chosen)) return problem;
  std::string organization = std::move(webhook.organization);
  const bool is_listener = webhook.is_listener;
  const Webhook defaults = chosen->defaults();
  webhook = defaults;
  webhook.organization = std::move(organization);
  webhook.is_listener = is_listener;
  Reading reading{body, webhook, checks, defaults, by, true};
  if (auto problem = read_members(reading)) return problem;
  if (webhook.destination.url.empty()) return invalid("url", "is required");
  if (auto problem = read_settings(reading)) return problem;  // May mint another kind.
  if (webhook.secret.empty()) webhook.secret = chosen->mint_secret();
  if (webhook.secret.empty()) return check_secret(webhook.dialect, webhook.secret);
  return std::nullopt;
}

std::optional<Problem> patch_webhook(JsonBody& body, const WebhookChecks& checks,
                                     const subscription::Token& by, Webhook& webhook) {
  const Webhook defaults = dialect::of(webhook).defaults();
  Reading reading{body, webhook, checks, defaults, by, false};
  if (auto problem = read_members(reading)) return problem;
  if (auto problem = read_settings(reading)) return problem;
  if (!webhook.active() || !dialect::of(webhook).takes_calls(webhook)) return std::nullopt;
  return invalid("enabled",
                 "cannot be true: the webhook is called and sends nothing; `settings.active` says "
                 "whether it takes calls");
}

// --- writing -------------------------------------------------------------------------------------

namespace {

void write_request_settings(JsonWriter& json, const Webhook& webhook, bool with_secret) {
  json.key("headers").begin_object();
  for (const auto& [name, value] : webhook.headers) {
    json.member(name, dialect::names_a_credential(name) ? dialect::credential_mask : value);
  }
  json.end_object();
  if (with_secret) json.member("secret", webhook.secret);
  json.key("previous_secret_until");
  if (webhook.previous_secret.empty()) {
    json.null();
  } else {
    json.value(to_rfc3339(webhook.previous_secret_until));
  }
  json.key("tls").begin_object();
  json.member("verify", webhook.tls_verify).member("ca", webhook.tls_ca);
  json.member("client_certificate", "").end_object();
}

void write_pace(JsonWriter& json, const Webhook& webhook) {
  json.key("schedule").begin_array();
  for (uint32_t seconds : webhook.schedule_s) json.value(seconds);
  json.end_array();
  json.member("timeout_ms", webhook.timeout_ms).member("concurrency_max", webhook.concurrency_max);
  json.key("rate_per_second");
  if (webhook.rate_per_second == 0) {
    json.null();
  } else {
    json.value(webhook.rate_per_second);
  }
  json.member("ordering", "none");
}

/// Whether the receiver was asked to take deliveries at all, and what it said.
std::string_view permission_of(const Webhook& webhook, const ReceiverNote& receiver) {
  if (webhook.is_listener || !dialect::of(webhook).asks_first(webhook)) return "not_needed";
  if (receiver.permitted) return "granted";
  const bool refused = receiver.why_not && receiver.why_not->code == Errc::origin_refused;
  return refused ? "refused" : "unknown";
}

void write_circuit(JsonWriter& json, const CircuitNote& circuit) {
  if (circuit.failures == 0) {
    json.null();
    return;
  }
  json.begin_object()
      .member("failures", circuit.failures)
      .member("last_failure", net::describe_tls(circuit.last_failure))
      .key("next_attempt_at");
  if (circuit.next_attempt_at == WallTime{}) {
    json.null();  // It is under way, or nothing waits.
  } else {
    json.value(to_rfc3339(circuit.next_attempt_at));
  }
  json.end_object();
}

void write_receiver(JsonWriter& json, const Webhook& webhook, const ReceiverNote& receiver) {
  json.key("paused_until");
  if (receiver.paused_until == WallTime{}) {
    json.null();
  } else {
    json.value(to_rfc3339(receiver.paused_until));
  }
  json.key("circuit");
  write_circuit(json, receiver.circuit);
  json.member("permission", permission_of(webhook, receiver))
      .member("permission_reason", receiver.why_not ? net::describe_tls(*receiver.why_not) : "");
}

}  // namespace

void write_webhook(JsonWriter& json, const Webhook& webhook, bool with_secret,
                   const ReceiverNote& receiver, std::span<const std::string> warnings) {
  json.begin_object()
      .member("id", webhook.id.to_text())
      .member("dialect", webhook.dialect)
      .member("description", webhook.description)
      .member("organization", webhook.organization)
      .member("url", webhook.destination.url)
      .member("listener", webhook.is_listener);
  api::write_subscription(json, webhook);
  write_request_settings(json, webhook, with_secret);
  write_pace(json, webhook);
  json.key("settings");
  dialect::of(webhook).write_settings(json, webhook);
  json.member("enabled", webhook.active())
      .member("state", subscription::name(webhook.state))
      .member("state_reason", webhook.state_reason);
  write_receiver(json, webhook, receiver);
  json.key("warnings").begin_array();
  for (const std::string& warning : warnings) json.value(warning);
  json.end_array();
  json.member("created_at", to_rfc3339(webhook.created_at))
      .member("updated_at", to_rfc3339(webhook.updated_at))
      .end_object();
}

}  // namespace ringpost::control
