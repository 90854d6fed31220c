#include "journal/record.h"

#include "base/prng.h"

#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace ringpost::journal {
namespace {

using namespace std::chrono_literals;

Ulid id_of(uint8_t first) {
  Ulid id;
  for (size_t index = 0; index < id.bytes.size(); ++index) {
    id.bytes[index] = static_cast<uint8_t>(first + index);
  }
  return id;
}

EventView full_event() {
  static const uint32_t webhooks[3] = {1, 2, 0xfffffffe};
  EventView event;
  event.uid = id_of(1);
  event.accepted_at = from_unix_ns(1'234'567'890'123'456'789);
  event.organization = "acme";
  event.id = "build-128";
  event.id_given = true;
  event.data_checked = true;
  event.addressed = true;
  event.source = "https://ci.example/apps/1";
  event.type = "build.finished";
  event.time = "2031-05-04T09:08:07Z";
  event.subject = "app";
  event.data_content_type = "application/json";
  event.branch = "main";
  event.ordering_key = "key";
  event.trace_parent = "00-abc-def-01";
  event.extensions = R"({"x":1})";
  event.data = as_bytes(std::string_view{"{\"a\":\0 1.0}\n", 12});
  event.webhook_numbers = std::as_bytes(std::span{webhooks});
  event.redelivery_of = id_of(90);
  event.header_overrides = "X-A: b\n";
  event.message = id_of(91);
  event.hops = 3;
  return event;
}

void expect_equal(const EventView& a, const EventView& b) {
  EXPECT_EQ(a.uid, b.uid);
  EXPECT_EQ(a.accepted_at, b.accepted_at);
  EXPECT_EQ(a.organization, b.organization);
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.id_given, b.id_given);
  EXPECT_EQ(a.data_checked, b.data_checked);
  EXPECT_EQ(a.addressed, b.addressed);
  EXPECT_EQ(a.source, b.source);
  EXPECT_EQ(a.type, b.type);
  EXPECT_EQ(a.time, b.time);
  EXPECT_EQ(a.subject, b.subject);
  EXPECT_EQ(a.data_content_type, b.data_content_type);
  EXPECT_EQ(a.branch, b.branch);
  EXPECT_EQ(a.ordering_key, b.ordering_key);
  EXPECT_EQ(a.trace_parent, b.trace_parent);
  EXPECT_EQ(a.extensions, b.extensions);
  EXPECT_EQ(as_text(a.data), as_text(b.data));
  EXPECT_EQ(as_text(a.webhook_numbers), as_text(b.webhook_numbers));
  EXPECT_EQ(a.redelivery_of, b.redelivery_of);
  EXPECT_EQ(a.header_overrides, b.header_overrides);
  EXPECT_EQ(a.message, b.message);
  EXPECT_EQ(a.hops, b.hops);
}

std::vector<std::byte> bytes_of(Bytes bytes) {
  return {bytes.begin(), bytes.end()};
}

void append_field(std::vector<std::byte>& record, uint8_t id, uint8_t flags,
                  const std::string& text) {
  const size_t at = record.size();
  record.resize(at + 6 + text.size());
  record[at] = std::byte{id};
  record[at + 1] = std::byte{flags};
  store_le(&record[at + 2], static_cast<uint32_t>(text.size()));
  std::memcpy(&record[at + 6], text.data(), text.size());
}

TEST(EventCodec, BringsBackEveryMember) {
  const EventView event = full_event();
  const EventRef stored = EventCodec::encode(event);
  expect_equal(stored->view(), event);
  EXPECT_EQ(stored->view().webhook_count(), 3u);
  EXPECT_EQ(stored->view().webhook_number(2), 0xfffffffe);
  const auto decoded = EventCodec::decode(stored->record(), Position::make(3, 4, 4128));
  ASSERT_TRUE(decoded);
  expect_equal((*decoded)->view(), event);
  EXPECT_EQ((*decoded)->position(), Position::make(3, 4, 4128));
}

TEST(EventCodec, AnEventThatWasCarriedKeepsItsFirstPosition) {
  const Position first = Position::make(2, 7, 4096);
  const Position record = Position::make(3, 40, 8192);
  EventView event = full_event();
  const auto packed =
      pack({.origin = first,
            .times = 2,
            .at = from_unix_ns(5),
            .states = {{1, from_unix_ns(0)}, {0, {}}, {9, from_unix_ns(77'000'000'000)}},
            .floors = {1, 0xffffff}});
  event.carried = packed;
  const EventRef stored = EventCodec::encode(event);
  const auto decoded = EventCodec::decode(stored->record(), record);
  ASSERT_TRUE(decoded);
  expect_equal((*decoded)->view(), event);
  EXPECT_EQ((*decoded)->position(), first);
  EXPECT_EQ((*decoded)->place(), record);
  const Carried carried = (*decoded)->view().unpack_carried();
  EXPECT_EQ(carried.origin, first);
  EXPECT_EQ(carried.times, 2u);
  EXPECT_EQ(carried.at, from_unix_ns(5));
  ASSERT_EQ(carried.states.size(), 3u);
  EXPECT_EQ(carried.states[2].attempts, 9u);
  EXPECT_EQ(carried.states[2].next_attempt_at, from_unix_ns(77'000'000'000));
  EXPECT_EQ(carried.floors, (std::vector<uint32_t>{1, 0xffffff}));
}

TEST(EventCodec, RefusesACarriedFieldThatCannotBe) {
  EventView event = full_event();
  const auto carried = [&](Position origin, size_t states) {
    const auto packed =
        pack({.origin = origin, .states = std::vector<CarriedState>(states), .floors = {}});
    std::vector<std::byte> record = bytes_of(EventCodec::encode(event)->record());
    append_field(record, 18, 1, std::string{as_text(packed)});
    return EventCodec::decode_view(record).has_value();
  };
  const Position origin = Position::make(0, 1, 4096);
  EXPECT_TRUE(carried(origin, 3));
  EXPECT_FALSE(carried(origin, 2));
  EXPECT_FALSE(carried({}, 3));
  EXPECT_FALSE(carried(Position::make(0, 1, 4097), 3));
}

TEST(EventCodec, ViewPointsIntoItsOwnBytes) {
  EventRef stored;
  {
    std::string source = "here";
    EventView event;
    event.source = source;
    stored = EventCodec::encode(event);
    source = "gone";
  }
  EXPECT_EQ(stored->view().source, "here");
}

TEST(EventCodec, EmptyMembersStayEmpty) {
  const EventRef stored = EventCodec::encode({});
  expect_equal(stored->view(), {});
  EXPECT_FALSE(stored->view().is_redelivery());
}

TEST(EventCodec, SharedUntilTheLastReferenceGoes) {
  EventRef first = EventCodec::encode(full_event());
  EventRef second = first;
  EventRef third = std::move(first);
  EXPECT_FALSE(first);
  second = {};
  EXPECT_EQ(third->view().id, "build-128");
}

TEST(EventCodec, SkipsUnknownOptionalField) {
  auto record = bytes_of(EventCodec::encode(full_event())->record());
  append_field(record, 200, 0, "of a later version");
  const auto view = EventCodec::decode_view(record);
  ASSERT_TRUE(view);
  expect_equal(*view, full_event());
}

TEST(EventCodec, StopsAtUnknownRequiredField) {
  auto record = bytes_of(EventCodec::encode(full_event())->record());
  append_field(record, 200, 1, "of a later version");
  const auto view = EventCodec::decode_view(record);
  ASSERT_FALSE(view);
  EXPECT_EQ(view.error().code, Errc::unsupported);
}

TEST(EventCodec, StopsAtNewerVersion) {
  auto record = bytes_of(EventCodec::encode(full_event())->record());
  record[0] = std::byte{2};
  EXPECT_EQ(EventCodec::decode_view(record).error().code, Errc::unsupported);
}

TEST(EventCodec, RefusesRepeatedAndDisorderedFields) {
  auto record = bytes_of(EventCodec::encode(full_event())->record());
  append_field(record, 15, 0, "twice");
  EXPECT_EQ(EventCodec::decode_view(record).error().code, Errc::corrupt);
}

TEST(EventCodec, RefusesFieldsOfTheWrongSize) {
  auto numbers = bytes_of(EventCodec::encode({})->record());
  append_field(numbers, 13, 0, "12345");
  EXPECT_EQ(EventCodec::decode_view(numbers).error().code, Errc::corrupt);
  auto redelivery = bytes_of(EventCodec::encode({})->record());
  append_field(redelivery, 14, 0, "short");
  EXPECT_EQ(EventCodec::decode_view(redelivery).error().code, Errc::corrupt);
}

// Goal: no bytes make the decoders read outside of what they were given (ASan watches).
// Method: every cut of a good record, in memory of exactly that size; then random changes.
TEST(EventCodec, SurvivesCutsAndNoise) {
  const auto record = bytes_of(EventCodec::encode(full_event())->record());
  for (size_t cut = 0; cut < record.size(); ++cut) {
    const std::vector<std::byte> part(record.begin(), record.begin() + static_cast<ptrdiff_t>(cut));
    const auto view = EventCodec::decode_view(part);
    if (!view) {
      EXPECT_EQ(view.error().code, Errc::corrupt);
    }
  }
  Prng random(11);
  for (int round = 0; round < 20'000; ++round) {
    auto noisy = record;
    for (uint64_t left = random.below(8) + 1; left > 0; --left) {
      noisy[random.below(noisy.size())] = std::byte(random.below(256));
    }
    const auto view = EventCodec::decode_view(noisy);
    if (view) {
      EXPECT_LE(view->data.size(), noisy.size());
    }
  }
}

OutcomeView full_outcome() {
  OutcomeView outcome;
  outcome.delivery = id_of(5);
  outcome.event = Position::make(2, 9, 8224);
  outcome.webhook_number = 77;
  outcome.attempt = 3;
  outcome.status = DeliveryStatus::pending;
  outcome.started_at = from_unix_ns(5);
  outcome.duration = Duration{6};
  outcome.next_attempt_at = from_unix_ns(7);
  outcome.failed = true;
  outcome.error = {Errc::bad_status, Side::endpoint, -3};
  outcome.http_status = 503;
  outcome.response_truncated = true;
  outcome.response_note = BadAnswer::body_cut;
  outcome.request_head = "POST / HTTP/1.1\r\n\r\n";
  outcome.response_head = "HTTP/1.1 503 no\r\n\r\n";
  outcome.response_body = as_bytes("later");
  outcome.request_truncated = true;
  outcome.request_made = true;
  outcome.request_body = as_bytes("made");
  outcome.tls = {.version = 0x0304, .cipher = 0x1301, .group = 0x11ec, .resumed = true};
  outcome.connection = {.ip = {192, 0, 2, 7},
                        .ip_bytes = 4,
                        .port = 443,
                        .reused = true,
                        .timings = {.name = 1500us, .tls = 12ms, .first_byte = 30ms}};
  return outcome;
}

TEST(OutcomeCodec, BringsBackEveryMember) {
  const OutcomeView outcome = full_outcome();
  std::vector<std::byte> record{std::byte{9}};  // Appends, and leaves what is there.
  encode_outcome(outcome, record);
  EXPECT_EQ(record[0], std::byte{9});
  const auto read = decode_outcome(Bytes{record}.subspan(1));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->delivery, outcome.delivery);
  EXPECT_EQ(read->event, outcome.event);
  EXPECT_EQ(read->webhook_number, outcome.webhook_number);
  EXPECT_EQ(read->attempt, outcome.attempt);
  EXPECT_EQ(read->status, outcome.status);
  EXPECT_EQ(read->started_at, outcome.started_at);
  EXPECT_EQ(read->duration, outcome.duration);
  EXPECT_EQ(read->next_attempt_at, outcome.next_attempt_at);
  EXPECT_EQ(read->failed, outcome.failed);
  EXPECT_EQ(read->error, outcome.error);
  EXPECT_EQ(read->http_status, outcome.http_status);
  EXPECT_EQ(read->response_truncated, outcome.response_truncated);
  EXPECT_EQ(read->response_note, outcome.response_note);
  EXPECT_EQ(read->request_head, outcome.request_head);
  EXPECT_EQ(read->response_head, outcome.response_head);
  EXPECT_EQ(as_text(read->response_body), as_text(outcome.response_body));
  EXPECT_EQ(read->request_truncated, outcome.request_truncated);
  EXPECT_EQ(read->request_made, outcome.request_made);
  EXPECT_EQ(as_text(read->request_body), as_text(outcome.request_body));
  EXPECT_EQ(read->tls, outcome.tls);
  EXPECT_EQ(read->connection, outcome.connection);
}

// Goal: each address, and each choice of the times, as it was.
TEST(OutcomeCodec, BringsBackEveryConnection) {
  constexpr std::array members = {&AttemptTimings::name, &AttemptTimings::connect,
                                  &AttemptTimings::tls, &AttemptTimings::first_byte};
  for (const uint8_t ip_bytes : std::array<uint8_t, 3>{0, 4, 16}) {
    for (unsigned chosen = 0; chosen < 16; ++chosen) {
      OutcomeView outcome;
      outcome.status = DeliveryStatus::delivered;
      outcome.connection = {.ip_bytes = ip_bytes, .port = 8443};
      for (uint8_t at = 0; at < ip_bytes; ++at) {
        outcome.connection.ip[at] = static_cast<uint8_t>(at + 1);
      }
      for (size_t member = 0; member < members.size(); ++member) {
        if ((chosen >> member & 1) != 0) {
          outcome.connection.timings.*members[member] = std::chrono::microseconds{member * 1000};
        }
      }
      std::vector<std::byte> record;
      encode_outcome(outcome, record);
      const auto read = decode_outcome(record);
      ASSERT_TRUE(read);
      EXPECT_EQ(read->connection, outcome.connection);
    }
  }
}

// Goal: no time is taken for a shorter one because it does not fit.
TEST(OutcomeCodec, KeepsTheLongestTimeThatFits) {
  OutcomeView outcome;
  outcome.status = DeliveryStatus::dead;
  outcome.connection = {.ip_bytes = 4, .timings = {.connect = std::chrono::hours{2}}};
  std::vector<std::byte> record;
  encode_outcome(outcome, record);
  const auto read = decode_outcome(record);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->connection.timings.connect, std::chrono::microseconds{UINT32_MAX});
}

/// A record with one field, which is made longer or shorter.
std::vector<std::byte> with_field_longer_by(int bytes, std::vector<std::byte> record) {
  std::byte* const size = &record[bare_outcome_bytes + 2];
  store_le<uint32_t>(size, load_le<uint32_t>(size) + static_cast<uint32_t>(bytes));
  record.resize(record.size() + static_cast<size_t>(bytes));
  return record;
}

// Goal: what a later release appends is skipped; less than was said to be there is damage.
TEST(OutcomeCodec, TakesALongerConnectionAndNoShorterOne) {
  OutcomeView outcome;
  outcome.status = DeliveryStatus::delivered;
  outcome.connection = {.ip = {10, 0, 0, 2}, .ip_bytes = 4, .port = 80, .timings = {.name = 1ms}};
  std::vector<std::byte> record;
  encode_outcome(outcome, record);
  const auto longer = decode_outcome(with_field_longer_by(1, record));
  ASSERT_TRUE(longer);
  EXPECT_EQ(longer->connection, outcome.connection);
  EXPECT_FALSE(decode_outcome(with_field_longer_by(-1, record)));
  std::vector<std::byte> strange = record;
  strange[bare_outcome_bytes + 6 + 3] = std::byte{0x12};  // An address of eight bytes.
  EXPECT_FALSE(decode_outcome(strange));
}

// Goal: what a later release appends to the TLS session is skipped; less than its bytes is damage.
TEST(OutcomeCodec, TakesALongerTlsSessionAndNoShorterOne) {
  OutcomeView outcome;
  outcome.status = DeliveryStatus::delivered;
  outcome.tls = {.version = 0x0303, .cipher = 0xc02b};
  std::vector<std::byte> record;
  encode_outcome(outcome, record);
  const auto longer = decode_outcome(with_field_longer_by(1, record));
  ASSERT_TRUE(longer);
  EXPECT_EQ(longer->tls, outcome.tls);
  EXPECT_FALSE(decode_outcome(with_field_longer_by(-1, record)));
}

TEST(OutcomeCodec, TellsAnEmptyBodyThatWasMadeFromTheEventsData) {
  OutcomeView outcome = full_outcome();
  outcome.request_body = {};
  for (const bool made : {true, false}) {
    outcome.request_made = made;
    std::vector<std::byte> record;
    encode_outcome(outcome, record);
    const auto read = decode_outcome(record);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->request_made, made);
    EXPECT_TRUE(read->request_body.empty());
  }
}

// Goal: the bodies in journals from before the flag are still shown.
TEST(OutcomeCodec, TakesARecordedBodyForMadeAlsoWithoutTheFlag) {
  OutcomeView outcome = full_outcome();
  outcome.request_made = false;
  std::vector<std::byte> record;
  encode_outcome(outcome, record);
  const auto read = decode_outcome(record);
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->request_made);
  EXPECT_EQ(as_text(read->request_body), "made");
}

// Goal: a code added to one of the enumerations without a number on disk fails here, not in use.
TEST(OutcomeCodec, KnowsEveryCode) {
  for (int code = 0; code <= static_cast<int>(Errc::unsupported); ++code) {
    OutcomeView outcome = full_outcome();
    outcome.error.code = static_cast<Errc>(code);
    std::vector<std::byte> record;
    encode_outcome(outcome, record);
    EXPECT_EQ(decode_outcome(record)->error.code, static_cast<Errc>(code));
  }
  for (int side = 0; side <= static_cast<int>(Side::self); ++side) {
    OutcomeView outcome = full_outcome();
    outcome.error.side = static_cast<Side>(side);
    std::vector<std::byte> record;
    encode_outcome(outcome, record);
    EXPECT_EQ(decode_outcome(record)->error.side, static_cast<Side>(side));
  }
  std::set<std::string_view> names;
  for (int status = 0; status <= static_cast<int>(DeliveryStatus::cancelled); ++status) {
    OutcomeView outcome = full_outcome();
    outcome.status = static_cast<DeliveryStatus>(status);
    std::vector<std::byte> record;
    encode_outcome(outcome, record);
    EXPECT_EQ(decode_outcome(record)->status, outcome.status);
    EXPECT_TRUE(names.insert(name(outcome.status)).second);
  }
}

// What a person sees is what was sent and answered, whatever is recorded of it.
TEST(OutcomeCodec, BringsBackTextsThatAreChangesToOthers) {
  const OutcomeView base = full_outcome();
  OutcomeView outcome = full_outcome();
  outcome.request_head = "POST / HTTP/1.1\r\nnumber: 2\r\n\r\n";
  outcome.response_body = as_bytes("later, much later");
  std::vector<std::byte> record;
  encode_outcome(outcome, record, {.offset = 4128, .texts = outcome_texts(base)});
  auto read = decode_outcome(record);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->base_offset, 4128u);
  EXPECT_EQ(read->request_head, "");
  std::vector<std::byte> memory;
  ASSERT_TRUE(restore_texts(*read, outcome_texts(base), memory));
  EXPECT_EQ(read->base_offset, 0u);
  EXPECT_EQ(read->request_head, outcome.request_head);
  EXPECT_EQ(as_text(read->request_body), as_text(outcome.request_body));
  EXPECT_EQ(read->response_head, outcome.response_head);
  EXPECT_EQ(as_text(read->response_body), as_text(outcome.response_body));
  EXPECT_EQ(read->tls, outcome.tls);
}

TEST(OutcomeCodec, RefusesChangesThatDoNotFitTheirBase) {
  const OutcomeView outcome = full_outcome();
  std::vector<std::byte> record;
  encode_outcome(outcome, record, {.offset = 4128, .texts = outcome_texts(outcome)});
  auto read = decode_outcome(record);
  ASSERT_TRUE(read);
  std::vector<std::byte> memory;
  EXPECT_EQ(restore_texts(*read, "short", memory).error().code, Errc::corrupt);
}

TEST(OutcomeCodec, UnknownErrorCodeIsStillAFailure) {
  std::vector<std::byte> record;
  encode_outcome(full_outcome(), record);
  record[3] = std::byte{250};
  const auto read = decode_outcome(record);
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->failed);
  EXPECT_EQ(read->error.code, Errc::unsupported);
}

TEST(OutcomeCodec, RefusesUnknownStatusAndCuts) {
  std::vector<std::byte> record;
  encode_outcome(full_outcome(), record);
  for (size_t cut = 0; cut < record.size(); ++cut) {
    const std::vector<std::byte> part(record.begin(), record.begin() + static_cast<ptrdiff_t>(cut));
    const auto read = decode_outcome(part);
    if (!read) {
      EXPECT_EQ(read.error().code, Errc::corrupt);
    }
  }
  record[1] = std::byte{0};
  EXPECT_EQ(decode_outcome(record).error().code, Errc::corrupt);
}

TEST(DeliveryId, KeepsTheTimeAndNeverChanges) {
  const Ulid event = id_of(1);
  const Ulid id = delivery_id(event, 5);
  EXPECT_EQ(id.time_ms(), event.time_ms());
  EXPECT_EQ(id, delivery_id(event, 5));
  // Written down: a change would give pending deliveries of an older release new ids.
  EXPECT_EQ(id.to_text(), "01081G8186PSDE5S22W36WVC6C");
}

TEST(DeliveryId, DiffersByEventAndWebhook) {
  std::set<Ulid> ids;
  for (uint8_t event = 0; event < 100; ++event) {
    for (uint32_t webhook = 0; webhook < 100; ++webhook) {
      EXPECT_TRUE(ids.insert(delivery_id(id_of(event), webhook)).second);
    }
  }
}

}  // namespace
}  // namespace ringpost::journal
