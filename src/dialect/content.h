#pragma once

#include "base/json_writer.h"
#include "journal/record.h"

#include <cstdint>
#include <string>
#include <string_view>

// What an event's data is, and what it may be called: the one place where a dialect decides whether
// these bytes can be put where JSON is due.

namespace ringpost::dialect {

/// In the eyes of CloudEvents' JSON format (3.1).
enum class Content : uint8_t {
  none,  ///< There is no data.
  json,  ///< Declared to be JSON, or not declared, and exactly one JSON text.
  text,  ///< `text/…` in UTF-8.
  bytes  ///< Everything else; also what is declared to be JSON and is not (in old journals).
};

/// Ingest marks what it has looked at (EventView::data_checked); other data is read once.
Content content_of(const journal::EventView& event);

/// The Content-Type under which the data goes out as it is: the event's own, unless it would be
/// false. Empty without data: what is not there has no type (RFC 9110, 8.3).
std::string_view content_type_of(const journal::EventView& event);

/// The members of CloudEvents' JSON format for the data and its type (3.1.1).
/// @param content  of the event.  @param out  what `json` writes to.
void write_cloudevents_data(std::string& out, JsonWriter& json, const journal::EventView& event,
                            Content content);

/// Whether the data is exactly one JSON text, whatever it is declared to be.
bool data_is_json(const journal::EventView& event);
/// Whether that text is an object.
bool data_is_object(const journal::EventView& event);

}  // namespace ringpost::dialect
