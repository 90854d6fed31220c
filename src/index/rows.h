#pragma once

#include "base/result.h"
#include "index/codec.h"
#include "index/format.h"
#include "index/part.h"

#include <cstdint>
#include <unordered_map>
#include <vector>

// The rows of each table: bytes in, facts out. A row is written as the difference to the one before
// it in its page, so each `State` begins anew with each page.

namespace ringpost::index {

/// Values that repeat: a row names the first `dictionary_entries_max` by number, and spells others.
template <typename Value>
class Dictionary {
 public:
  Dictionary() = default;
  explicit Dictionary(std::vector<Value> values) : values_(std::move(values)) {}

  void write(Encoder& out, Value value) {
    const auto [place, is_new] = numbers_.try_emplace(value, values_.size());
    if (is_new && values_.size() == dictionary_entries_max) {
      numbers_.erase(place);
      out.number(0);
      return out.fixed(value);
    }
    if (is_new) values_.push_back(value);
    out.number(place->second + 1);
  }
  /// False: no such number.
  bool read(Decoder& in, Value& value) const {
    const uint64_t number = in.number();
    if (number == 0) {
      value = in.fixed<Value>();
      return true;
    }
    if (number > values_.size()) return false;
    value = values_[static_cast<size_t>(number - 1)];
    return true;
  }
  const std::vector<Value>& values() const { return values_; }

 private:
  std::vector<Value> values_;
  std::unordered_map<Value, size_t> numbers_;
};

struct Dictionaries {
  Dictionary<uint32_t> types;
  Dictionary<uint32_t> sources;
  Dictionary<uint64_t> results;  ///< pack_result.

  void write(std::vector<std::byte>& bytes) const;
  static Result<Dictionaries> read(Bytes bytes);
};

struct EventRow {
  Ulid uid;
  uint32_t offset = 0;  ///< In the segment; a multiple of 8.
  uint32_t type_hash = 0;
  uint32_t source_hash = 0;
  uint32_t first_match = 0;  ///< Row of `matches`.
  uint32_t matches = 0;
  Position origin{};  ///< EventFacts::origin.

  struct State {
    bool begun = false;
    uint64_t high = 0;
    int64_t units = 0;  ///< Of 8 bytes.
    uint32_t match = 0;
  };
  void write(Encoder& out, State& state, Dictionaries& dictionaries) const;
  bool read(Decoder& in, State& state, const Dictionaries& dictionaries);
};

struct MatchRow {
  uint32_t webhook_number = 0;

  struct State {
    int64_t webhook = 0;
  };
  void write(Encoder& out, State& state, Dictionaries& dictionaries) const;
  bool read(Decoder& in, State& state, const Dictionaries& dictionaries);
};

/// Of an outcome, times and place are relative to the event's, which is in another table.
struct DeliveryRow {
  uint32_t webhook_number = 0;
  uint32_t event_row = 0;
  LocalDelivery::Told told = LocalDelivery::Told::nothing;
  uint64_t result = 0;       ///< pack_result.
  int64_t started_us = 0;    ///< After the time of the event's uid.
  int64_t record_units = 0;  ///< Of 8 bytes, behind the event's record.
  int64_t due_s = 0;         ///< After the start's second; `due_at_once` for the epoch.

  static constexpr int64_t due_at_once = INT64_MIN;

  void set_outcome(const Outcome& outcome, const EventFacts& event);
  /// Errc::corrupt if it makes no sense.
  Result<Outcome> outcome(const EventFacts& event) const;
  /// False: this row alone tells how it ended.
  bool may_be_open() const;

  struct State {
    uint32_t webhook = 0;
    uint32_t event_row = 0;
    bool begun = false;
  };
  void write(Encoder& out, State& state, Dictionaries& dictionaries) const;
  bool read(Decoder& in, State& state, const Dictionaries& dictionaries);
};

struct IdRow {
  uint32_t hash = 0;
  uint32_t event_row = 0;

  struct State {
    uint32_t hash = 0;
  };
  void write(Encoder& out, State& state, Dictionaries& dictionaries) const;
  bool read(Decoder& in, State& state, const Dictionaries& dictionaries);
};

/// The journal and segment of `outcome.record` are not in the row.
struct OutcomeRow {
  Outcome outcome;

  struct State {
    uint64_t event = 0;
    uint32_t webhook = 0;
    int64_t record_units = 0;
    int64_t started_us = 0;
  };
  void write(Encoder& out, State& state, Dictionaries& dictionaries) const;
  bool read(Decoder& in, State& state, const Dictionaries& dictionaries);
};

struct TotalsRow {
  TotalsKey key;
  Totals totals;

  struct State {
    uint32_t webhook = 0;
    int64_t hour = 0;
  };
  void write(Encoder& out, State& state, Dictionaries& dictionaries) const;
  bool read(Decoder& in, State& state, const Dictionaries& dictionaries);
};

}  // namespace ringpost::index
