#pragma once

#include "base/clock.h"
#include "base/prng.h"
#include "load/text_template.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::load {

/// Texts, each with its share.
class Mix {
 public:
  void add(TextTemplate text, uint64_t weight);
  bool empty() const { return entries_.empty(); }
  const TextTemplate& pick(Prng& random) const;
  const std::vector<TextTemplate>& texts() const { return texts_; }

 private:
  struct Entry {
    uint64_t up_to;  ///< Sum of the weights so far.
    size_t index;
  };
  std::vector<Entry> entries_;
  std::vector<TextTemplate> texts_;
};

/// Reads `NAME` or `WEIGHT:NAME` into the mix. @returns what is wrong with it; empty: nothing.
std::string add_to_mix(Mix& mix, std::string_view text);

/// What the events of a run look like.
struct EventForm {
  std::string run;  ///< Names the run: in ids and in the mark.
  Mix types;
  Mix sources;
  /// The data, a JSON object; nothing: the mark and `padding` to the size.
  std::optional<TextTemplate> data;
  uint64_t bytes_min = 256;  ///< Of the data without a template, evenly distributed.
  uint64_t bytes_max = 256;
  uint64_t keys = 0;   ///< That many ordering keys in turn; 0: none.
  bool ids = true;     ///< Give each event an id, by which the relay knows duplicates.
  bool marked = true;  ///< Whether data from a template gets the mark, too: padding has it.
  /// Data without a template is that of a Devopness action: its request is made from nothing else.
  bool action = false;
  uint64_t seed = 1;
};

/// Makes events one after the other. Each carries a mark, which tells a receiver the run and the
/// event's number: `"ringpost_load":{"run":"0123abcd","event":7}`, the first member of its data.
class EventMaker {
 public:
  explicit EventMaker(EventForm form);

  /// Appends event `number` as the relay's native API takes it.
  void append_event(std::string& out, uint64_t number, WallTime now);
  /// Appends the data alone.
  void append_data(std::string& out, uint64_t number, WallTime now);
  /// The next event's type or source, without JSON's quotes. Valid until the next call of it.
  const std::string& next_type(uint64_t number, WallTime now);
  const std::string& next_source(uint64_t number, WallTime now);

  const EventForm& form() const { return form_; }
  Prng& random() { return random_; }

 private:
  void append_padded(std::string& out, uint64_t number);

  const EventForm form_;
  Prng random_;
  std::string type_;
  std::string source_;
  std::string scratch_;
};

/// The event number in the mark of this run; nothing if there is none.
std::optional<uint64_t> marked_number(std::string_view body, std::string_view run);

/// A recorded event with the mark in its data; everything else stays byte for byte. Nothing if its
/// data is no JSON object.
std::optional<std::string> with_mark(std::string_view event, std::string_view run, uint64_t number);
/// A recorded event under the id that a made one would have. One without an id stays as it is: the
/// relay gives it a new one.
std::string with_new_id(std::string_view event, std::string_view run, uint64_t number);

}  // namespace ringpost::load
