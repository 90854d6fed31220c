#pragma once

#include "api/call.h"
#include "api/management.h"
#include "base/prng.h"
#include "control/audit.h"
#include "control/git_links.h"
#include "control/git_source_registry.h"
#include "control/journal_access.h"
#include "control/login.h"
#include "control/outgoing.h"
#include "control/publisher.h"
#include "control/registrations.h"
#include "control/visible_history.h"
#include "control/webhook_json.h"
#include "control/webhook_registry.h"
#include "dialect/matcher.h"
#include "index/index.h"
#include "subscription/table.h"

#include <cstdint>
#include <optional>

namespace ringpost::control {

/// A token that is restricted to sources may not reach out for others.
Problem beyond_token();

/// What the management APIs ask of the control side. `begin` before each call.
class ManagementDesk final : public api::Management {
 public:
  /// Everything is borrowed and outlives it.
  struct Parts {
    WebhookRegistry& registry;
    const subscription::SubscriptionTable& table;
    const VisibleHistory& history;
    JournalAccess& journals;
    Publisher& publisher;
    Prng& random;
    Login& login;
    TokenRegistry& tokens;
    const GitSourceRegistry& git_sources;
    const GitLinks& git_links;
    Registrations& registrations;
    const WebhookChecks& checks;
    uint32_t shard_count = 1;
  };

  explicit ManagementDesk(const Parts& parts) : parts_(parts) {}

  /// A call begins: what follows is asked for its caller. @param call  outlives the asking.
  void begin(const api::Call& call, Instant now);
  /// The event that the call made, if its answer is to wait for it.
  std::optional<Outgoing> take_outgoing();
  /// What the call changed, for the audit log.
  const std::optional<Change>& change() const { return change_; }
  std::optional<Change> take_change();

  const Webhook* webhook(std::string_view organization, const Ulid& id) const override;
  const Webhook* webhook(uint32_t number) const override;
  std::vector<const Webhook*> webhooks(const Group& group) const override;
  const Webhook* called_webhook(const Ulid& id) const override;
  std::variant<const Webhook*, Problem> create(Webhook webhook) override;
  std::variant<const Webhook*, Problem> update(Webhook webhook,
                                               std::string_view operation) override;
  std::optional<Problem> remove(const Webhook& webhook) override;
  std::optional<std::string> object_to_destination(
      const subscription::Destination& destination) const override;

  std::vector<api::LoggedDelivery> log(const Webhook& webhook, size_t deliveries_max) override;
  std::vector<Ulid> newest(const Webhook& webhook, size_t deliveries_max) const override;
  std::optional<api::LoggedDelivery> delivery(const Webhook& webhook, const Ulid& id) override;
  std::optional<api::LoggedDelivery> delivery(std::string_view organization,
                                              const Ulid& id) override;

  std::variant<journal::EventRef, Problem> redeliver(const api::LoggedDelivery& delivery,
                                                     const Overrides& overrides) override;
  std::variant<journal::EventRef, Problem> ping(const Webhook& webhook) override;
  std::optional<Problem> accept(journal::EventView event, const Webhook* logged_at) override;
  void notify(const Webhook& webhook, journal::EventView event) override;

  std::variant<api::Answer, Problem> register_at_host(std::string_view app,
                                                      Registered registered) override;

  Prng& random() override { return parts_.random; }
  uint64_t mint_number() override;
  std::variant<Granted, Problem> login(std::string_view email, std::string_view password) override;
  std::variant<Granted, Problem> refresh(std::string_view refresh_token) override;
  std::optional<Problem> logout() override;

 private:
  std::vector<index::DeliveryFacts> newest_facts(const Webhook& webhook,
                                                 size_t deliveries_max) const;
  std::optional<index::DeliveryFacts> facts_of(std::string_view organization, const Ulid& id) const;
  std::optional<api::LoggedDelivery> read(const index::DeliveryFacts& facts);
  void note(std::string_view operation, const Ulid& object, std::vector<std::string> members,
            std::string_view organization = {});
  std::variant<Granted, Problem> answer_login(const Login::Result& result, std::string_view wrong);
  uint32_t owner_of(const Webhook& webhook) const;
  /// Whether the caller's token is not restricted to other sources. Without a token (an open route)
  /// the dialect decides.
  bool may_see(const Webhook& webhook) const;
  bool may_touch(std::string_view source) const;

  const Parts parts_;
  dialect::Matcher matcher_;
  const api::Call* call_ = nullptr;  ///< The one in hand.
  Instant now_{};
  uint64_t last_number_ = 0;
  std::optional<Outgoing> outgoing_;
  std::optional<Change> change_;
};

}  // namespace ringpost::control
