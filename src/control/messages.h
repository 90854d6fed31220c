#pragma once

#include "base/clock.h"
#include "base/connection_facts.h"
#include "base/ulid.h"
#include "http/message.h"
#include "io/address.h"
#include "journal/record.h"
#include "journal/writer.h"
#include "net/http_client.h"
#include "subscription/webhook_version.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// What the shards and the control thread say to each other. Every message is one value in a
// bounded mailbox (base/mailbox.h); none is lost: a sender that finds the mailbox full keeps the
// message, stops taking on work, and tries again next turn.

namespace ringpost::control {

/// The one path that a listener may serve without the APIs.
inline constexpr std::string_view metrics_path = "/metrics";

// --- from a shard to the control thread ----------------------------------------------------------

/// A request for the management API. Authentication is the control thread's business.
struct ApiRequest {
  http::RequestHandle handle;
  std::unique_ptr<http::Request> request;
  io::Address peer;
  bool tls = false;           ///< It came over TLS.
  bool metrics_open = false;  ///< Its listener serves the metrics to everyone: they need no token.
};

/// An event is durable in the sender's journal and its deliveries are under way.
struct EventAccepted {
  journal::EventRef event;
  WallTime durable_at{};  ///< Only where traces are on; the epoch: nobody asked.
};

/// An attempt ended whose trace is sampled.
struct AttemptTraced {
  journal::EventRef event;
  Ulid delivery;
  uint32_t webhook_number = 0;
  uint32_t attempt = 0;
  journal::DeliveryStatus status{};  ///< Of the delivery after it.
  WallTime started_at{};
  Duration duration{};
  std::optional<Error> error;
  uint16_t http_status = 0;  ///< 0: there was no answer.
  std::string request_line;  ///< Secrets masked; empty: there was no request.
  ConnectionFacts connection;
};

/// An attempt started (status in_flight) or ended, or a delivery was cancelled; its record is in
/// the sender's journal at `position`, or nowhere if that is not valid (no space).
struct OutcomeRecorded {
  Ulid delivery;
  journal::Position event;
  journal::Position position;
  uint32_t webhook_number = 0;
  uint32_t attempt = 0;
  journal::DeliveryStatus status{};
  WallTime started_at{};
  WallTime next_attempt_at{};
  Error error{};  ///< Why the attempt failed, if it did.
  bool failed = false;
  uint16_t http_status = 0;  ///< 0: there was no answer.
  Duration duration{};       ///< Of the attempt.
};

/// The endpoint answered 410 Gone: the webhook is to be disabled.
struct EndpointGone {
  subscription::WebhookVersion webhook;
};

/// The receiver asked for a pause: the webhook gets nothing before `until`.
struct ReceiverPaused {
  subscription::WebhookVersion webhook;
  WallTime until{};
};

/// Several attempts in a row failed and the webhook gets one at a time (delivery::OpenCircuit), or
/// its receiver works again.
struct CircuitChanged {
  subscription::WebhookVersion webhook;
  uint32_t failures = 0;  ///< 0: it works again.
  WallTime next_attempt_at{};
  Error last_failure{};
};

/// The receiver was asked for its permission: as delivery::Host::on_permission.
struct PermissionAsked {
  subscription::WebhookVersion webhook;
  std::optional<Error> why_not;
};

/// The sender's journal wants a prepared segment.
struct SegmentWanted {};
struct SegmentSealed {
  uint32_t number = 0;
};

/// The sender has passed a quiescent point since `version` was published, and has handled the
/// message that said so: nothing of it uses an older snapshot.
struct SnapshotSeen {
  uint64_t version = 0;
};

/// The sender uses the settings of `version`, or newer ones.
struct SettingsSeen {
  uint64_t version = 0;
};

/// The client of a stream has taken this much of it.
struct StreamTaken {
  http::RequestHandle handle;
  uint64_t bytes = 0;
};

/// The client of a stream has gone, or the shard stops: nothing more is wanted.
struct StreamGone {
  http::RequestHandle handle;
};

/// The answer to StoreEvent: the event is durable, or was refused.
struct StoreEventDone {
  uint64_t ticket = 0;
  bool failed = false;
  Error error{};
  Ulid event_uid;  ///< Of the new event; its delivery's id derives from it.
};

/// The shard's journal failed a durable write; the shard refuses events from now on.
struct StorageFailed {
  Error error{};
};

/// A program that listens for the webhook is to be given this request. Answered by
/// ListenerAnswered, or not at all.
struct ListenerRequest {
  uint64_t ticket = 0;
  uint32_t webhook_number = 0;
  Ulid delivery;
  uint32_t attempt = 0;
  std::string event_type;
  std::string event_source;
  std::string bytes;  ///< As a receiver would get it: head and body.
};

/// Nobody waits for the answer to a ListenerRequest any more.
struct ListenerRequestOver {
  uint32_t webhook_number = 0;
  uint64_t ticket = 0;
};

/// The answer to SendCall.
struct CallAnswered {
  uint64_t ticket = 0;
  std::unique_ptr<net::ClientAnswer> answer;
};

using ToControl =
    std::variant<std::monostate, ApiRequest, EventAccepted, OutcomeRecorded, EndpointGone,
                 ReceiverPaused, CircuitChanged, PermissionAsked, SegmentWanted, SegmentSealed,
                 SnapshotSeen, SettingsSeen, StoreEventDone, StorageFailed, StreamTaken, StreamGone,
                 CallAnswered, std::unique_ptr<ListenerRequest>, ListenerRequestOver,
                 std::unique_ptr<AttemptTraced>>;

// --- from the control thread to a shard ----------------------------------------------------------

struct ApiReply {
  http::RequestHandle handle;
  std::unique_ptr<http::Response> response;
};

/// The head of an answer whose body comes in StreamPieces. Answered by StreamGone if it is not
/// wanted.
struct StreamOpened {
  http::RequestHandle handle;
  std::unique_ptr<http::Response> head;
};

/// More of a stream. After the `last` one it is over.
struct StreamPiece {
  http::RequestHandle handle;
  std::string bytes;  ///< Not empty.
  bool last = false;
};

/// A snapshot was published. The shard cancels what is pending for `ended` webhooks (deleted or
/// disabled), looks at those that are `changed` (made, too), then answers SnapshotSeen.
struct SnapshotPublished {
  uint64_t version = 0;
  std::vector<uint32_t> ended;
  std::vector<uint32_t> changed;
};

/// The configuration was read anew. The shard fetches its part (shard::SettingsInForce), uses it
/// from now on, then answers SettingsSeen.
struct SettingsPublished {
  uint64_t version = 0;
};

struct SegmentReady {
  journal::PreparedSegment segment;
};

/// Whether segments cannot be prepared for now, for want of space or because the disk fails. It is
/// tried again each second.
struct SegmentsDelayed {
  bool delayed = false;
};

/// Append and deliver `event`, which the control thread made (a redelivery, a ping, a call of an
/// incoming hook): encoded already, its webhooks in it. Then answer StoreEventDone.
struct StoreEvent {
  uint64_t ticket = 0;
  journal::EventRef event;
  /// As Dispatcher::submit has it; false: it waits as events of producers do.
  bool by_hand = true;
};

/// A program listens for the webhook now, or does not any more (Dispatcher::set_listening).
struct ListenerChanged {
  uint32_t webhook_number = 0;
  bool listening = false;
};

/// What the program's receiver answered, as it came, or why it did not.
struct ListenerAnswered {
  uint64_t ticket = 0;
  std::string answer;
  std::optional<Error> error;
};

/// Send a request to a server elsewhere, then answer CallAnswered.
struct SendCall {
  uint64_t ticket = 0;
  std::unique_ptr<net::ClientRequest> request;
};

using ToShard = std::variant<std::monostate, ApiReply, SnapshotPublished, SettingsPublished,
                             SegmentReady, SegmentsDelayed, StoreEvent, StreamOpened, StreamPiece,
                             SendCall, ListenerChanged, ListenerAnswered>;

/// How the control thread reaches the shards.
class Post {
 public:
  virtual ~Post() = default;
  virtual void send(uint32_t shard, ToShard&& message) = 0;
};

}  // namespace ringpost::control
