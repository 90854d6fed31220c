#pragma once

#include "journal/record.h"

#include <simdjson.h>

#include <array>
#include <string>
#include <string_view>

// An event's attributes as CloudEvents 1.0.2 names them, and how they are spelled.

namespace ringpost::dialect::cloudevents {

/// Appends `text` as a URI-reference (RFC 3986, 4.1): what is not allowed in one there is
/// percent-encoded. What is one already (`app/x`, `https://ci.example.org/a?b#c`) stays as it is.
void append_uri_reference(std::string& out, std::string_view text);

/// Appends `text` as the value of a `ce-` header (HTTP binding, 3.1.3.2): spaces, double quotes,
/// percent signs and everything beyond U+0021 to U+007E percent-encoded.
void append_header_value(std::string& out, std::string_view text);

/// Walks the attributes of events. Keeps its parser's memory: one for each thread.
class AttributeWalk {
 public:
  /// Calls `visit(name, text, is_string)` for each attribute in a fixed order: the required ones,
  /// `time`, `subject`, those that have a place in EventView, then the extensions in theirs. What
  /// is no string is spelled as in JSON: `true`, `42`. Left out: `datacontenttype`, which goes
  /// elsewhere.
  ///
  /// Source and id tell one event from all others (CloudEvents, `id`), so a redelivery keeps them,
  /// and one with other data has another id.
  template <typename Visit>
  void operator()(const journal::EventView& event, Visit visit) {
    visit("specversion", "1.0", true);
    if (event.is_edited()) {
      visit("id", event.uid.to_text(), true);
    } else {
      visit("id", event.id, true);
    }
    text_.clear();
    append_uri_reference(text_, event.source);
    visit("source", text_, true);
    visit("type", event.type, true);
    text_ = event.time.empty() ? to_rfc3339(event.accepted_at) : std::string{event.time};
    make_strict_rfc3339(text_);  // Earlier versions took a time as it came.
    visit("time", text_, true);
    const std::array<std::pair<std::string_view, std::string_view>, 4> optional{{
        {"subject", event.subject},
        {"branch", event.branch},
        {"orderingkey", event.ordering_key},
        {"traceparent", event.trace_parent},
    }};
    for (const auto& [name, value] : optional) {
      if (!value.empty()) visit(name, value, true);
    }
    simdjson::dom::object extensions;
    if (!open(event.extensions, extensions)) return;
    for (const auto [name, value] : extensions) {
      bool is_string = true;
      if (spell(value, is_string)) visit(name, std::string_view{text_}, is_string);
    }
  }

 private:
  /// @returns false if there are none.
  bool open(std::string_view extensions, simdjson::dom::object& object);
  /// Puts the value into `text_`. Several teams, which natively are an array, become one text
  /// with commas: CloudEvents knows no arrays. @returns false for what is no attribute's value.
  bool spell(simdjson::dom::element value, bool& is_string);

  simdjson::dom::parser parser_;
  std::string text_;
};

}  // namespace ringpost::dialect::cloudevents
