#pragma once

#include "api/answer.h"
#include "api/problem.h"
#include "base/clock.h"
#include "base/prng.h"
#include "base/result.h"
#include "base/ulid.h"
#include "journal/reader.h"
#include "journal/record.h"
#include "subscription/webhook.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace ringpost::api {

/// One delivery as a log shows it.
struct LoggedDelivery {
  Ulid id;
  journal::DeliveryStatus status{};
  journal::EventRef event;
  /// Oldest first, one for each attempt: of its end, or of its start if no end is known. Attempts
  /// whose record cannot be read any more are left out.
  std::vector<journal::StoredOutcome> attempts;
};

/// What the audit log calls the changes of a webhook.
inline constexpr std::string_view webhook_create = "webhook.create";
inline constexpr std::string_view webhook_update = "webhook.update";
inline constexpr std::string_view webhook_enable = "webhook.enable";
inline constexpr std::string_view webhook_disable = "webhook.disable";
inline constexpr std::string_view webhook_rotate_secret = "webhook.rotate_secret";

/// What the control side does for the management APIs, the native one and those of the dialects.
/// Everything is looked up within an organization: what belongs to another one is not there
/// (reliability A-1).
///
/// Control thread only; calls block on the disk. A pointer to a webhook is good until the next
/// change.
class Management {
 public:
  using Webhook = subscription::Webhook;

  virtual ~Management() = default;

  // --- webhooks: a change is durable when the call returns, and in force when the answer goes out
  // with Answer::When::published. Changes go into the audit log.

  virtual const Webhook* webhook(std::string_view organization, const Ulid& id) const = 0;
  virtual const Webhook* webhook(uint32_t number) const = 0;

  struct Group {
    std::string_view organization;
    std::string_view dialect;
    std::string_view name;  ///< As Dialect::group gave it.
  };
  /// All webhooks of a group, oldest first.
  virtual std::vector<const Webhook*> webhooks(const Group& group) const = 0;

  /// A webhook that outsiders call and know by its id alone (Dialect::takes_calls), whosever it is.
  virtual const Webhook* called_webhook(const Ulid& id) const = 0;

  /// Gives number, id and times. The webhook names its organization: the caller's own, as another
  /// one is for the relay's operator alone. @returns the stored one, or what is wrong.
  virtual std::variant<const Webhook*, Problem> create(Webhook webhook) = 0;
  /// @param operation  what the audit log calls the change; static text.
  virtual std::variant<const Webhook*, Problem> update(Webhook webhook,
                                                       std::string_view operation) = 0;
  virtual std::optional<Problem> remove(const Webhook& webhook) = 0;

  /// Why nothing may be sent there, as a sentence part ("is a private address"); nothing: it may.
  virtual std::optional<std::string> object_to_destination(
      const subscription::Destination& destination) const = 0;

  // --- the log

  /// The newest deliveries of a webhook, newest first.
  virtual std::vector<LoggedDelivery> log(const Webhook& webhook, size_t deliveries_max) = 0;
  /// Their ids alone, which cost no reading: for paging.
  virtual std::vector<Ulid> newest(const Webhook& webhook, size_t deliveries_max) const = 0;
  /// One delivery of a webhook; nothing if it is unknown, forgotten or another webhook's.
  virtual std::optional<LoggedDelivery> delivery(const Webhook& webhook, const Ulid& id) = 0;
  /// One delivery of the organization, if its webhook may be seen: whoever sees the webhook's log
  /// sees each of its deliveries.
  virtual std::optional<LoggedDelivery> delivery(std::string_view organization, const Ulid& id) = 0;

  // --- sending

  /// What a redelivery has in the place of the stored event's own, in this one delivery.
  struct Overrides {
    std::string data;                  ///< A JSON object; empty: the stored bytes.
    std::string headers;               ///< `Name: value` lines.
    std::vector<std::string> members;  ///< What was said, by name; for the audit log.
  };
  /// Sends a delivery's stored event once more, as a new delivery, to the webhook as it is now: its
  /// URL, headers and secret. Changes of an earlier redelivery are not sent again. The
  /// answer has to have Answer::When::stored. At most one of `redeliver`, `ping` and `accept` in a
  /// call.
  /// @returns the event that starts the new delivery.
  virtual std::variant<journal::EventRef, Problem> redeliver(const LoggedDelivery& delivery,
                                                             const Overrides& overrides) = 0;
  /// Tries an active webhook out, as its dialect does (Dialect::ping), or says why it does not. The
  /// answer as for `redeliver`.
  virtual std::variant<journal::EventRef, Problem> ping(const Webhook& webhook) = 0;
  /// Takes an event as if a producer had sent it: it goes to the webhooks that match. Members that
  /// ingest sets (times, webhooks) are set here, and the uid if it is zero. The answer as for
  /// `redeliver`.
  /// @param logged_at  an inactive webhook whose log is to hold the event too, as a cancelled
  ///                   delivery; null: none.
  virtual std::optional<Problem> accept(journal::EventView event,
                                        const Webhook* logged_at = nullptr) = 0;
  /// Sends an event to one webhook alone, whatever it subscribed to, once the changes made so far
  /// are in force. Nobody waits for it. The uid as for `accept`.
  virtual void notify(const Webhook& webhook, journal::EventView event) = 0;

  // --- git hosts

  /// Makes the answer once the host has answered. @param problem  why it is not registered, if so.
  using Registered = std::function<Answer(const std::optional<Problem>& problem)>;
  /// Makes the webhook of an app's git source at its host, or changes the one that is there.
  /// @param registered  called later, on this thread, once. Of a success the answer has to have
  ///                    Answer::When::published.
  /// @returns the answer for now, Answer::When::later; or what forbids it.
  virtual std::variant<Answer, Problem> register_at_host(std::string_view app,
                                                         Registered registered) = 0;

  // --- the relay

  virtual Prng& random() = 0;
  /// A number that no other call gets: microseconds since 1970, or more if those are taken. Below
  /// 2^53, so that every JSON reader keeps it, until the year 2255.
  virtual uint64_t mint_number() = 0;

  struct Granted {
    std::string token;  ///< Its text, told once.
    WallTime expires_at{};
    std::string refresh_token;  ///< Likewise; for `refresh`.
  };
  /// A token for a configured user; in force when an answer goes out with Answer::When::published.
  /// @returns 401 or 429 as a problem, whose text and time tell nothing about which part was wrong.
  virtual std::variant<Granted, Problem> login(std::string_view email,
                                               std::string_view password) = 0;
  /// Exchanges a refresh token, which is used up, for fresh ones of both kinds; otherwise as
  /// `login`.
  virtual std::variant<Granted, Problem> refresh(std::string_view refresh_token) = 0;
  /// Takes back the caller's own token and the refresh token beside it, if a login granted them;
  /// any other token stays. In force when an answer goes out with Answer::When::published.
  /// @returns what is wrong.
  virtual std::optional<Problem> logout() = 0;
};

}  // namespace ringpost::api
