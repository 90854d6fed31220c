#pragma once

#include "api/answer.h"
#include "api/call.h"
#include "api/management.h"
#include "api/problem.h"
#include "api/rate.h"
#include "api/route.h"
#include "base/clock.h"
#include "dialect/renderer.h"
#include "dialect/verifier.h"
#include "subscription/event_rule.h"
#include "subscription/token.h"
#include "subscription/webhook.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace ringpost {
class JsonWriter;
}

namespace ringpost::dialect {

/// One way in which webhooks are managed and their requests look. A dialect is a folder with one of
/// these, named once, in registry.cc; nothing else knows how many there are.
///
/// Stateless: one object for the whole process, asked by every thread at once.
class Dialect {
 public:
  Dialect() = default;
  Dialect(const Dialect&) = delete;
  Dialect& operator=(const Dialect&) = delete;
  virtual ~Dialect() = default;

  virtual std::string_view name() const = 0;

  // --- what a webhook of it is

  /// Schedule, timeout and whatever else a webhook gets that does not say.
  virtual subscription::Webhook defaults() const = 0;
  /// The secret of a webhook that names none; empty: it stays unsigned.
  virtual std::string mint_secret() const { return {}; }
  /// The secret of a rotation that names none: as `mint_secret`, of the present secret's kind.
  virtual std::string next_secret(const subscription::Webhook&) const { return mint_secret(); }
  /// For a dialect that sends what only the receiver can issue, such as an access token: why a
  /// webhook needs one, as a sentence part. Nothing is generated then, and no answer shows it.
  /// Empty: a secret may be generated, or left out.
  virtual std::string_view why_secret_is_required() const { return {}; }
  /// Whether a request can carry signatures by two secrets, so that a rotation may overlap.
  virtual bool signs_twice() const { return false; }
  /// Why the secret cannot be used, as a sentence part; empty if it can. `secret` is not empty.
  virtual std::string_view object_to_secret(std::string_view secret) const = 0;
  /// Whether requests carry this header already, so that a user cannot set it.
  virtual bool writes_header(std::string_view name) const;

  /// Why a webhook cannot subscribe to these events, as a sentence part that says what it can;
  /// empty: it can. Only where a dialect knows all its events. `pattern` is one
  /// (subscription::object_to_event_pattern).
  virtual std::string object_to_event(std::string_view pattern) const;
  /// The same of a source: where a dialect's own API demands more of a name than the core does.
  virtual std::string object_to_source(std::string_view pattern) const;
  /// The same of the native API's `url`, as it was given.
  virtual std::string object_to_native_url(std::string_view url) const;

  /// Reads the native API's `settings`, a JSON object, into `webhook.settings` and whatever else
  /// they decide. Called last, and also without settings (`{}`) when a webhook is made.
  virtual std::optional<api::Problem> read_settings(std::string_view json,
                                                    subscription::Webhook& webhook) const;
  /// Takes over what the native API says of who makes a webhook, in the dialect's own words: the
  /// settings are read.
  virtual void note_maker(const subscription::Token& maker, subscription::Webhook& webhook) const;
  /// The native API has set sources or events, and read the settings: for a dialect that has words
  /// of its own for which sources a webhook wants.
  /// @param settings  what the same request says of settings: a JSON object.
  /// @param by        who asks; sources that this token may not touch are not for it to add.
  virtual void take_sources(std::string_view settings, const subscription::Token& by,
                            subscription::Webhook& webhook) const;
  /// Writes the value of the native API's `settings`: an object, without secrets.
  virtual void write_settings(JsonWriter& json, const subscription::Webhook& webhook) const;

  // --- matching

  /// What the webhook asks of an event besides source, type and filter; null: nothing.
  virtual std::unique_ptr<const subscription::EventRule> make_rule(
      const subscription::Webhook& webhook) const;
  /// Why no event can ever be sent to an active webhook, as its settings and filter are now: a
  /// whole sentence that says how to mend it. Empty: nothing is known that prevents all of them.
  virtual std::string why_nothing_matches(const subscription::Webhook& webhook) const;
  /// Where events of this type keep their branch and cluster, if the type is this dialect's.
  virtual std::optional<subscription::EventFacts::RoutingPaths> routing(
      std::string_view type) const;
  /// Adds other names of the event's source, if the event is this dialect's: at most
  /// EventKey::aliases_max.
  virtual void add_aliases(const subscription::EventFacts& event,
                           std::vector<std::string>& aliases) const;
  /// Whether `add_aliases` may ever add this name. Webhooks of any dialect may name it.
  virtual bool is_alias(std::string_view) const { return false; }

  // --- sending

  /// Whether there can be a request for the event's data (content.h); for an object there always
  /// is.
  virtual bool can_send(const journal::EventView&) const { return true; }
  virtual std::unique_ptr<Renderer> make_renderer(const subscription::Webhook& webhook) const = 0;
  /// Whether an answer with this status (not 2xx, not 410) is worth another attempt.
  virtual bool retries_status(uint16_t http_status) const;
  /// Whether of the events about one subject (Renderer::subject) only the newest is worth sending.
  virtual bool newer_supersedes_older(const subscription::Webhook&) const { return false; }
  /// The part of an attempt's time that is for connecting, TLS included, and not for the answer;
  /// zero: the two share all of it.
  virtual Duration connect_time() const { return {}; }
  /// Whether a receiver has to agree first (CloudEvents' abuse protection).
  virtual bool asks_first(const subscription::Webhook& webhook) const;
  /// How long every delivery may fail before the webhook is broken; zero: for ever.
  virtual Duration broken_after() const { return {}; }
  /// Whether a webhook gets a `ping` when it was made and whenever it was changed, over whatever
  /// API, unless it is not active then.
  virtual bool pings_changes() const { return false; }
  /// An event that tries a webhook out: a request that its receiver understands, with no effect.
  struct Ping {
    std::string source;
    std::string type = "ping";
    std::string data;  ///< A JSON object.
  };
  /// @param base_url  as Call::base_url.
  /// @returns the ping, or why there is none, as a whole sentence.
  virtual std::variant<Ping, std::string> ping(const subscription::Webhook& webhook,
                                               std::string_view base_url) const;

  // --- receiving, for receivers of its requests

  /// The name of an example event, for trying it out (`ringpost sign`).
  struct ExampleEvent {
    std::string_view type;
    std::string_view source;
  };
  virtual ExampleEvent example_event() const { return {"build.finished", "app/shop"}; }

  /// Whether its requests carry anything that proves who sent them.
  virtual bool verifies() const { return false; }
  /// Whether a request was sent with `secret`, and why not. Only where `verifies`.
  /// @param secret  one that `object_to_secret` has no objection to.
  virtual Verdict verify(const Received& received, std::string_view secret,
                         const Freshness& freshness) const;
  /// What is the same in all attempts of one delivery and in no other delivery; empty: unknown.
  virtual std::string_view delivery_of(const Received& received) const;

  // --- its own management API, if it has one

  virtual std::span<const api::Route> routes() const { return {}; }
  /// Whether the path is in this API's part of the tree, also where there is no route.
  virtual bool owns_path(std::string_view path) const;
  /// Whether `Authorization: <token>` is taken, without the word Bearer.
  virtual bool takes_bare_token() const { return false; }
  /// The refusal in this API's own shape.
  virtual http::Response refuse(const api::Problem& problem) const;
  /// How many calls it takes from one organization and one token; nothing: any number.
  virtual std::optional<api::RateLimits> rate_limits() const { return std::nullopt; }
  /// Tells in an answer how much is left.
  virtual void write_rate(const api::Rate&, http::Response&) const {}
  /// The answer to a call beyond the limits.
  virtual http::Response refuse_rate(const api::Rate& rate) const;
  virtual api::Answer handle(const api::Route& route, const api::Call& call,
                             api::Management& management) const;
  /// How webhooks are put together for lists: Management::webhooks gives one group.
  virtual std::string group(const subscription::Webhook& webhook) const;
  /// All its groups, for a dialect whose webhooks can be in several; they differ.
  virtual std::vector<std::string> groups(const subscription::Webhook& webhook) const;
  /// Whether outsiders call it and know it by its id alone: Management::called_webhook finds it.
  virtual bool takes_calls(const subscription::Webhook& webhook) const;
};

/// nullptr if there is no such dialect.
const Dialect* find(std::string_view name);
/// The dialect of a webhook that is in the store or the table: it is known.
const Dialect& of(const subscription::Webhook& webhook);
std::span<const Dialect* const> all();
/// The dialect whose API the path is in; nullptr: the native API's, or nobody's.
const Dialect* owner_of_path(std::string_view path);
/// As a list with commas.
std::string names();

/// What filter and dialect ask of an event together; null: nothing. For Webhook::rule. A webhook
/// that names a source by what may be its other name has a rule, too: without rules nobody looks at
/// an event's data, and the other names are there.
std::shared_ptr<const subscription::EventRule> make_rule(const subscription::Webhook& webhook);

/// Where events of a type keep their branch and cluster, by whichever dialect knows it.
subscription::EventFacts::RoutingPaths routing(std::string_view type);

}  // namespace ringpost::dialect
