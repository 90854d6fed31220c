#pragma once

#include "ingest/event_reader.h"

#include <simdjson.h>

#include <optional>
#include <string_view>

namespace ringpost::ingest {

/// Whether the document is a bare event of CDEvents (CD Foundation, specification 0.4): an object
/// without members `type` and `source`, whose `context.type` begins with `dev.cdevents.`. No event
/// in our own form is one. Rewinds the document first; false for what is not JSON.
bool is_cdevent(simdjson::ondemand::document& document);

/// Reads such a document, rewound first: id, source, type and time from its `context`, the subject
/// from `subject.id`; `data` is all of it. What these do not need is not judged: receivers know
/// CDEvents' schemas. Walks everything, like EventReader::read, with the same duties of the caller.
/// @param text  the document's, without white space around it.
std::optional<Refusal> read_cdevent(simdjson::ondemand::document& document, std::string_view text,
                                    TextStore& texts, journal::EventView& event);

}  // namespace ringpost::ingest
