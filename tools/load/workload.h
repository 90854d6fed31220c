#pragma once

#include "base/bytes.h"
#include "base/clock.h"
#include "dialect/renderer.h"
#include "http/message.h"
#include "http/url.h"
#include "load/event_maker.h"
#include "subscription/webhook.h"

#include <simdjson.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::load {

/// A request as it goes out. Used again and again for its memory.
struct Outgoing {
  std::string head;
  std::string body;
};

/// What a run sends, and what the answers mean.
class Workload {
 public:
  Workload() = default;
  Workload(const Workload&) = delete;
  Workload& operator=(const Workload&) = delete;
  virtual ~Workload() = default;

  /// Makes request `number`, counted from 0; `request` is empty. @returns why there is none.
  virtual std::optional<Error> make(uint64_t number, WallTime now, Outgoing& request) = 0;
  /// How many events it carries.
  virtual uint64_t events_in(uint64_t number) const = 0;
  /// Looks at the answer to it. @returns whether that is a success.
  virtual bool take_answer(uint64_t number, uint16_t status, Bytes body, Instant now) = 0;
  /// What an answer that is no success says, in one printable line.
  virtual std::string explain(uint16_t status, Bytes body) const = 0;
};

/// What a relay said of the events that it took.
struct RelayTotals {
  uint64_t accepted = 0;
  uint64_t duplicates = 0;
  uint64_t deliveries = 0;
  uint64_t unmatched = 0;
};

/// Where requests go, and the headers that all of them carry.
struct RequestFrame {
  std::string authority;  ///< For Host.
  std::string target = "/v1/events";
  std::vector<http::Header> headers;
};

/// Events for a relay: one as JSON, several as NDJSON.
class RelayWorkload : public Workload {
 public:
  /// @param events_max  how many events there are at most: the last batch may be smaller.
  /// @param note_times  keep when each event was accepted.
  RelayWorkload(RequestFrame frame, uint64_t batch, uint64_t events_max, bool note_times);

  std::optional<Error> make(uint64_t number, WallTime now, Outgoing& request) override;
  uint64_t events_in(uint64_t number) const override;
  bool take_answer(uint64_t number, uint16_t status, Bytes body, Instant now) override;

  std::string explain(uint16_t status, Bytes body) const override;

  const RelayTotals& totals() const { return totals_; }
  /// By event; the zero instant where it was not accepted. May be shorter than there are events.
  const std::vector<Instant>& accepted_at() const { return accepted_at_; }

 protected:
  virtual void append_event(std::string& out, uint64_t event, WallTime now) = 0;

 private:
  void note_accepted(uint64_t number, Instant now);

  const RequestFrame frame_;
  const uint64_t batch_;
  const uint64_t events_max_;
  const bool note_times_;
  simdjson::dom::parser parser_;
  RelayTotals totals_;
  std::vector<Instant> accepted_at_;
};

/// Events that are made as they are needed.
class MadeEvents final : public RelayWorkload {
 public:
  MadeEvents(RequestFrame frame, EventForm form, uint64_t batch, uint64_t events_max,
             bool note_times);

 private:
  void append_event(std::string& out, uint64_t event, WallTime now) override;
  EventMaker maker_;
};

/// Events from a file, as they are.
class RecordedEvents final : public RelayWorkload {
 public:
  /// @param lines       borrowed for this object's life; one event each.
  /// @param events_max  at most as many as there are lines.
  RecordedEvents(RequestFrame frame, const std::vector<std::string>& lines, uint64_t batch,
                 uint64_t events_max, bool note_times);

 private:
  void append_event(std::string& out, uint64_t event, WallTime now) override;
  const std::vector<std::string>& lines_;
};

/// Signed webhook requests, as a relay would send them, for a receiver.
class WebhookRequests final : public Workload {
 public:
  /// @param webhooks  each with its dialect, secret, settings and destination; requests take turns.
  /// @param forms     of their events, one for each webhook.
  WebhookRequests(const std::vector<subscription::Webhook>& webhooks,
                  const std::vector<EventForm>& forms);

  std::optional<Error> make(uint64_t number, WallTime now, Outgoing& request) override;
  uint64_t events_in(uint64_t) const override { return 1; }
  bool take_answer(uint64_t, uint16_t status, Bytes, Instant) override;
  std::string explain(uint16_t status, Bytes body) const override;

 private:
  struct Way {
    std::unique_ptr<dialect::Renderer> renderer;
    EventMaker maker;
  };
  std::vector<Way> ways_;
  dialect::Request rendered_;
  std::string data_;
  std::string id_;
};

}  // namespace ringpost::load
