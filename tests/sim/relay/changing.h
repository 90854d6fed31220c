#pragma once

#include "sim/http_producer.h"
#include "sim/http_receiver.h"
#include "sim/relay/api.h"
#include "sim/relay/harness.h"
#include "sim/world.h"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ringpost::sim {

/// A run in which people change everything while events come: webhooks move to other receivers,
/// take other events, are disabled, enabled, deleted and made, and deliveries are sent again. And
/// the books about it: which deliveries there must be, may be and must not be.
///
/// A change takes effect at some time between its request and its answer, for each event by itself;
/// one without an answer is in doubt until the relay has been asked. An event is matched at some
/// time between its own request and answer. So of each pair it is known that it must match, that it
/// must not, or that either is right.
class Changing {
 public:
  explicit Changing(RelayHarness& relay);

  /// Over the API, while nothing goes wrong.
  void create_webhooks(ApiClient& api, size_t count);
  /// Posts events and makes changes, one after the other, at random times within `span` from now.
  void schedule(size_t events, size_t changes, Duration span);
  /// From now on receivers answer 200 at once.
  void behave() { misbehaving_ = false; }
  /// The relay went down: each delivery may come once more than its schedule says.
  void on_restart() { ++restarts_; }
  /// Nothing is left to post or to change, and no change is in doubt.
  bool done() const;

  /// Asks the API what became of everything, and judges. @returns what is wrong; empty if nothing.
  std::vector<std::string> judge(ApiClient& api);

  struct Totals {
    uint64_t acknowledged = 0;  ///< Events.
    uint64_t changes = 0;       ///< Known to be in force.
    uint64_t doubts = 0;        ///< Changes without an answer.
    uint64_t cancelled = 0;     ///< Deliveries.
    uint64_t sent_again = 0;    ///< Deliveries, by hand.
    uint64_t must = 0;          ///< Pairs of an event and a webhook that had to match.
    uint64_t either = 0;        ///< Pairs that were in the air.
    uint64_t requests = 0;

    void add(const Totals& other);
    friend bool operator==(const Totals&, const Totals&) = default;
  };
  const Totals& totals() const { return totals_; }

 private:
  /// A webhook as it was from one change to the next.
  struct Version {
    Instant asked{};                  ///< In force at the earliest.
    std::optional<Instant> answered;  ///< And at the latest; absent while that is not known.
    bool active = true;
    bool deleted = false;
    size_t url = 0;  ///< The number in its path.
    size_t receiver = 0;
    std::string events;  ///< The one pattern.
  };
  struct Hook {
    std::string id;
    std::deque<Version> versions;
    bool deleted() const { return versions.back().deleted; }
  };
  struct Event {
    std::string type;
    Instant sent{};
    std::optional<Instant> answered;
    bool acknowledged = false;
    bool refused = false;
  };
  struct Arrival {
    uint32_t requests = 0;
    bool answered_well = false;
  };
  /// A change under way.
  struct Change {
    size_t hook = 0;
    Version to;
    bool asks = false;  ///< What became of one that is in doubt, instead.
  };
  /// A delivery that a person sent again.
  struct SentAgain {
    std::string delivery;
    size_t hook = 0;
  };
  enum class Match : uint8_t { no, either, must };

  void post_event();
  void change();
  void try_change();
  void move(size_t hook);
  void enable(size_t hook, bool active);
  void remove(size_t hook);
  void send_again();
  void request(const Change& change, std::string method, std::string target, std::string body);
  void ask(const Change& change);
  void on_change_end(const HttpProducer::Exchange& exchange);
  void on_sent_again(const HttpProducer::Exchange& exchange, const SentAgain& again);
  void settle_doubt(const Change& change, const HttpMessage& answer);
  void confirm(const Change& change, Instant answered);
  void on_event_end(const HttpProducer::Exchange& exchange);

  HttpReceiver::Answer on_request(size_t receiver, const HttpReceiver::Request& request);
  HttpReceiver::Answer draw_answer();

  Match match(const Hook& hook, const Event& event) const;
  bool may_be_cancelled(const Hook& hook, const Event& event) const;
  void judge_hook(ApiClient& api, size_t hook);
  void judge_delivery(size_t hook, size_t event, const DeliveryItem& item);
  void judge_sent_again(const std::vector<DeliveryItem>& items);
  static std::string webhook_url(size_t hook, const Version& version);
  bool may_come(const Hook& hook, size_t url, size_t receiver) const;
  void wrong(std::string what);

  RelayHarness& relay_;
  World& world_;
  std::deque<Hook> hooks_;
  std::deque<Event> events_;
  std::map<size_t, size_t> event_of_post_;       ///< By exchange.
  std::map<size_t, Change> changes_;             ///< By exchange.
  std::map<size_t, SentAgain> repeats_;          ///< By exchange.
  std::map<std::string, Arrival> arrivals_;      ///< By delivery.
  std::map<std::string, SentAgain> sent_again_;  ///< Acknowledged, by the new delivery.
  std::vector<SentAgain> deliveries_;            ///< Seen by receivers, in order.
  size_t waiting_ = 0;                           ///< Events and changes to come.
  bool in_doubt_ = false;                        ///< Whether the last change is in force.
  uint32_t restarts_ = 0;
  bool misbehaving_ = true;
  std::vector<std::string> wrong_;
  Totals totals_;
  std::vector<std::unique_ptr<HttpReceiver>> receivers_;
  HttpProducer producer_;
  HttpProducer person_;
};

}  // namespace ringpost::sim
