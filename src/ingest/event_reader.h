#pragma once

#include "ingest/attribute.h"
#include "ingest/refusal.h"
#include "journal/record.h"

#include <simdjson.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::ingest {

/// Which rules an event's object obeys (design, section 6.1).
enum class Form : uint8_t {
  native,      ///< Only `type` and `source` have to be there; `data` is an object.
  cloudevents  ///< CloudEvents 1.0, JSON format, strictly.
};

/// Objects and arrays inside each other, at most. Reading is recursive: this bounds the stack.
inline constexpr uint32_t json_depth_max = 128;

/// Texts that are not in the body in this form: unescaped, decoded or put together. They stay
/// in place until cleared, so that views into them are as good as views into the body.
using TextStore = std::deque<std::string>;

/// Reads one event from its JSON object. Nothing in this header leaves the folder: simdjson.h is
/// expensive to compile.
class EventReader {
 public:
  /// @param document  the one that `read` gets objects of, for places in the text.
  EventReader(simdjson::ondemand::document& document, Form form, TextStore& texts)
      : document_(document), form_(form), texts_(texts) {}

  /// Walks all of `object`: after success its JSON is known to be well-formed, `data` included.
  /// After a refusal with 422 nothing is known of what follows the member at fault.
  /// The caller has checked the document's escapes (escapes_are_valid). Views in `event` point into
  /// the document's text or into the store.
  std::optional<Refusal> read(simdjson::ondemand::object object, journal::EventView& event);

 private:
  using Value = simdjson::ondemand::value;

  std::optional<Refusal> read_member(std::string_view name, Value value);
  std::optional<Refusal> read_attribute(const Attribute& attribute, Value value);
  std::optional<Refusal> read_spec_version(Value value);
  std::optional<Refusal> read_data(Value value);
  std::optional<Refusal> read_data_base64(Value value);
  std::optional<Refusal> read_extension(std::string_view name, Value value);
  std::optional<Refusal> read_teams(Value value);
  std::optional<Refusal> add_extension(std::string_view name, std::string_view json);

  std::optional<Refusal> finish();
  std::string_view slip_for(std::string_view member) const;
  std::optional<Refusal> finish_data();
  std::optional<Refusal> finish_data_text();
  std::optional<Refusal> finish_data_base64();

  /// Marks a member as seen. @returns false if it was already.
  bool first_time(uint32_t bit);
  /// Walks `value` and gives its text, from its first byte to its last.
  std::optional<Refusal> walk_span(Value value, std::string_view& span);

  simdjson::ondemand::document& document_;
  const Form form_;
  TextStore& texts_;

  // Of the event being read.
  journal::EventView* event_ = nullptr;
  uint32_t seen_ = 0;
  bool data_is_text_ = false;    ///< `data` is a JSON string.
  bool data_is_base64_ = false;  ///< It came as `data_base64`.
  std::vector<std::string_view> extension_names_;
  std::string extensions_;  ///< `{"name":value,…` so far.
};

/// The content type of data that came without one and is not JSON (RFC 9110, 8.3: what is unknown).
inline constexpr std::string_view unknown_content_type = "application/octet-stream";

/// The refusal of text that is not JSON.
Refusal not_json(simdjson::error_code code);

/// Gives `event` an attribute, or says what is wrong with `text` (not empty) for it.
/// @param shown  the name of the member or header, for a refusal.
/// @param text   stays in place as long as the store.
std::optional<Refusal> set_attribute(const Attribute& attribute, std::string_view shown,
                                     std::string_view text, TextStore& texts,
                                     journal::EventView& event);

/// The text of a string, unescaped; nothing if it is null. Views into the document or the store.
/// @param name  of the member, for a refusal.
std::optional<Refusal> read_text(std::string_view name, simdjson::ondemand::value value,
                                 TextStore& texts, std::optional<std::string_view>& text);

/// Walks all of `value`, checking what simdjson leaves unchecked in parts that nobody reads.
/// @param levels_left  how many more objects and arrays may open.
simdjson::error_code walk(simdjson::ondemand::value& value, uint32_t levels_left);

}  // namespace ringpost::ingest
