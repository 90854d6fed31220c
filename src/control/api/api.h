#pragma once

#include "api/answer.h"
#include "api/call.h"
#include "api/management.h"
#include "control/api/event_page.h"
#include "control/api/list_query.h"
#include "control/api/metrics.h"
#include "control/api/routes.h"
#include "control/audit.h"
#include "control/journal_access.h"
#include "control/reload.h"
#include "control/replays.h"
#include "control/token_registry.h"
#include "control/visible_history.h"
#include "control/webhook_json.h"
#include "control/webhook_registry.h"
#include "http/message.h"
#include "index/index.h"
#include "subscription/table.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ringpost::dialect {
class Matcher;
}

namespace ringpost::control {

using api::Answer;
using api::answer_json;
using api::Call;

Answer refuse(const Problem& problem);
/// 503: a change was not stored, to our knowledge.
Problem store_failed(const Error& error);

/// For operations that take no body: an empty one and an empty object pass, any member is refused
/// by its name, like an unknown one elsewhere.
std::optional<Problem> refuse_members(const Call& call);

/// The operations of the management API on webhooks. What they change goes through `Management`,
/// which has begun with the call. Blocks on the store.
class WebhookApi {
 public:
  WebhookApi(const WebhookRegistry& registry, const TokenRegistry& tokens,
             api::Management& management, WebhookChecks checks)
      : registry_(registry), tokens_(tokens), management_(management), checks_(std::move(checks)) {}

  /// @param is_listener  as Webhook::is_listener.
  Answer create(const Call& call, bool is_listener = false);
  Answer list(const Call& call);
  Answer show(const Call& call);
  Answer update(const Call& call);
  Answer remove(const Call& call);
  /// @param active  enable or disable.
  Answer set_active(const Call& call, bool active);
  /// The body may name the new secret, and for how long the old one signs beside it.
  Answer rotate_secret(const Call& call);

 private:
  const subscription::Webhook* find(const Call& call) const;
  std::vector<const subscription::Webhook*> visible(const Call& call, const ListQuery& query,
                                                    size_t count) const;
  /// Whether a token may send events for the organization.
  bool sends_events(std::string_view organization, WallTime now) const;
  std::string to_json(const Call& call, const subscription::Webhook& webhook,
                      bool with_secret) const;
  /// @param operation  for the audit log.
  Answer store(const Call& call, subscription::Webhook webhook, std::string_view operation);

  const WebhookRegistry& registry_;
  const TokenRegistry& tokens_;
  api::Management& management_;
  const WebhookChecks checks_;
};

/// The operations on deliveries. Blocks on the files of journals and index.
class DeliveryApi {
 public:
  DeliveryApi(const WebhookRegistry& registry, const VisibleHistory& history,
              JournalAccess& journals, api::Management& management)
      : registry_(registry), history_(history), journals_(journals), management_(management) {}

  /// A webhook's.
  Answer list(const Call& call);
  /// The organization's.
  Answer list_all(const Call& call);
  Answer show(const Call& call);
  Answer redeliver(const Call& call);
  /// The body of one of its requests or answers, or the event's data, to be saved as a file.
  Answer download(const Call& call);
  /// Sends a webhook an event of type `ping`.
  Answer ping(const Call& call);

 private:
  Answer list(const Call& call, const ListQuery& query, const subscription::Webhook* webhook);
  struct Found {
    index::DeliveryFacts facts;
    journal::EventRef event;
  };
  std::variant<Found, Problem> find(const Call& call, const std::optional<Ulid>& id);
  /// Until when the webhook's receiver asked for a pause; the epoch: it did not.
  WallTime paused_until(const Call& call, uint32_t webhook_number) const;
  Answer answer_new(const Call& call, const journal::StoredEvent& event,
                    const subscription::Webhook& webhook);

  const WebhookRegistry& registry_;
  const VisibleHistory& history_;
  JournalAccess& journals_;
  api::Management& management_;
};

/// The operations on totals. Blocks as DeliveryApi.
class TotalsApi {
 public:
  TotalsApi(const WebhookRegistry& registry, const VisibleHistory& history,
            const JournalAccess& journals)
      : registry_(registry), history_(history), journals_(journals) {}

  /// Of one webhook, by time.
  Answer of_webhook(const Call& call);
  /// Of all webhooks together, by time, or by webhook.
  Answer of_organization(const Call& call);

 private:
  static Answer refuse_restricted();
  Answer by_time(const Call& call, const ListQuery& query, const subscription::Webhook* webhook);
  Answer by_webhook(const Call& call, const ListQuery& query);
  bool is_of(const Call& call, uint32_t webhook_number) const;

  const WebhookRegistry& registry_;
  const VisibleHistory& history_;
  const JournalAccess& journals_;
};

/// Why a webhook gets no request for an event that it asks for.
inline constexpr std::string_view no_request_reason = "its dialect has no request for such data";
/// Why it would not receive an event; empty: it would.
std::string why_not(dialect::Matcher& matcher, const subscription::Webhook& webhook,
                    const journal::EventView& event);

/// The operations on events. Blocks as DeliveryApi.
class EventApi {
 public:
  EventApi(const WebhookRegistry& registry, const VisibleHistory& history, JournalAccess& journals,
           WebhookChecks checks)
      : registry_(registry), history_(history), journals_(journals), checks_(std::move(checks)) {}

  Answer list(const Call& call);
  Answer show(const Call& call);
  /// Which of the listed events a new webhook would receive, and why not the others.
  Answer dry_run(const Call& call);
  /// The same of the webhook that the path names, with changes.
  Answer dry_run_of(const Call& call);
  /// The request that a new webhook would send for a recorded event, secrets masked.
  Answer preview(const Call& call);
  /// The same of the webhook that the path names, with changes.
  Answer preview_of(const Call& call);

 private:
  Result<void> fill(EventPage& page, const Call& call, const ListQuery& query);
  Answer answer_page(const Call& call, const ListQuery& query,
                     const EventPage::WriteItem& write_item);
  Answer try_events(const Call& call, subscription::Webhook webhook);
  Answer show_request(const Call& call, subscription::Webhook webhook);
  std::variant<subscription::Webhook, Problem> changed_webhook(const Call& call);
  struct Found {
    std::vector<index::EventFacts> facts;
    std::vector<journal::EventRef> events;  ///< Likewise.
    bool cut = false;                       ///< There may be older ones.
  };
  Result<Found> events_of(const Call& call, std::string id,
                          const std::optional<std::string>& source);

  const WebhookRegistry& registry_;
  const VisibleHistory& history_;
  JournalAccess& journals_;
  const WebhookChecks checks_;
};

/// The operations on replays. Blocks on the store.
class ReplayApi {
 public:
  ReplayApi(Replays& replays, api::Management& management, Prng& random)
      : replays_(replays), management_(management), random_(random) {}

  /// Of the webhook that the path names, if it names one.
  Answer start(const Call& call);
  Answer list(const Call& call);
  Answer show(const Call& call);
  Answer set_state(const Call& call, ReplayState state);

 private:
  const StoredReplay* find(const Call& call) const;

  Replays& replays_;
  api::Management& management_;
  Prng& random_;
};

/// `POST /v1/admin/reload`. Blocks on the configuration's files.
Answer reload_configuration(const Call& call, Reloads& reloads);
/// `GET /v1/admin/config`: what is in force.
Answer show_configuration(const std::vector<ConfigValue>& values,
                          const std::optional<LastReload>& last);

}  // namespace ringpost::control
