#pragma once

#include "sim/http_producer.h"
#include "sim/http_receiver.h"
#include "sim/ledger.h"
#include "sim/relay/api.h"
#include "sim/relay/harness.h"
#include "sim/world.h"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace ringpost::sim {

/// Producers, webhooks and receivers of a run, all of them drawn from the world's randomness, and
/// the books about them: what was posted and promised, what arrived, and what must not have.
///
/// Its own reading of what a subscription means, what a request looks like and how it is signed: a
/// second opinion beside the relay's.
class Traffic {
 public:
  explicit Traffic(RelayHarness& relay);

  /// Over the API, while nothing goes wrong.
  void create_webhooks(ApiClient& api, size_t count);
  /// Posts `count` events at random times within `span` from now: alone, in batches, with and
  /// without ids; what has an id is posted again after a broken connection or a refusal.
  void schedule_events(size_t count, Duration span);
  /// From now on receivers answer 200 at once.
  void behave() { misbehaving_ = false; }
  /// Nothing is left to post.
  bool all_posted() const { return posts_waiting_ == 0 && producer_.open_count() == 0; }

  /// Asks the API what became of everything, and judges. @returns what is wrong; empty if nothing.
  std::vector<std::string> judge(ApiClient& api);

  struct Totals {
    uint64_t events = 0;        ///< Posted.
    uint64_t acknowledged = 0;  ///< Events times their webhooks.
    uint64_t requests = 0;      ///< That receivers got.
    uint64_t reposts = 0;
    uint64_t duplicates = 0;  ///< Events answered as such.
    uint64_t dead = 0;

    void add(const Totals& other);
    friend bool operator==(const Totals&, const Totals&) = default;
  };
  const Totals& totals() const { return totals_; }
  /// A digest of the books: the same for two runs of one seed.
  uint64_t hash() const;

 private:
  struct Hook {
    std::string id;  ///< The API's.
    size_t receiver = 0;
    bool bitrise = false;
    std::string secret;
    std::vector<std::string> sources;
    std::vector<std::string> events;
    Duration timeout{};
  };
  struct Event {
    std::string id;  ///< Empty: the relay gives one.
    std::string source;
    std::string type;
    std::string data;
    std::vector<size_t> hooks;  ///< Those that match.
    bool acknowledged = false;
  };
  enum class Form : uint8_t { native, lines, cloudevents };
  struct Post {
    std::vector<size_t> events;
    Form form = Form::native;
    uint32_t reposts_left = 0;
  };
  /// What a receiver knows of one delivery.
  struct Arrival {
    std::string delivery;
    bool answered_well = false;
  };

  std::string webhook_json(size_t number, const Hook& hook);
  static bool matches(const Hook& hook, const Event& event);
  size_t draw_event();
  void send(const Post& post);
  void on_end(const HttpProducer::Exchange& exchange);
  void on_acknowledged(const Post& post, const HttpMessage& answer);
  void repost(const Post& post);
  HttpReceiver::Answer on_request(size_t receiver, const HttpReceiver::Request& request);
  HttpReceiver::Answer draw_answer();
  void check_request(const Hook& hook, const Event& event, const HttpReceiver::Request& request);
  void check_signature(const Hook& hook, const HttpReceiver::Request& request);
  void judge_hook(ApiClient& api, size_t hook);
  void judge_delivery(size_t hook, size_t event, const DeliveryItem& item);
  static std::string key(size_t event, size_t hook);
  void wrong(std::string what);

  RelayHarness& relay_;
  World& world_;
  Ledger ledger_;
  std::vector<Hook> hooks_;
  std::deque<Event> events_;
  std::map<std::string, size_t> event_numbers_;            ///< By id, given ones and the relay's.
  std::map<size_t, Post> posts_;                           ///< By exchange.
  std::map<std::pair<size_t, size_t>, Arrival> arrivals_;  ///< By event and webhook.
  size_t posts_waiting_ = 0;
  bool misbehaving_ = true;
  std::vector<std::string> wrong_;
  Totals totals_;
  std::vector<std::unique_ptr<HttpReceiver>> receivers_;
  HttpProducer producer_;
};

}  // namespace ringpost::sim
