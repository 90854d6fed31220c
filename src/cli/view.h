#pragma once

#include <simdjson.h>

#include <string>
#include <string_view>

// The relay's answers, laid out as text. JSON in, text out; no control byte gets through.

namespace ringpost::cli {

/// A webhook, with its filter, its pace and its dialect's settings; with its secret if it is there.
/// @param json          the webhook, as the relay answered it.
/// @param given_secret  what the user gave as the secret: it is not printed again.
std::string show_webhook(std::string_view json, std::string_view given_secret = {});

/// Why nothing is ever sent to a webhook: a line for each reason that the relay gives.
/// @param json  the webhook, as the relay answered it.
std::string warnings_of(std::string_view json);

/// What a webhook's filter asks for, in one cell: `branches "main", teams a, b`; empty: nothing.
std::string filter_of(simdjson::dom::element webhook);

/// A webhook's state in a cell: `active`, `active, failing`, `active, paused`.
std::string state_of(simdjson::dom::element webhook);

/// Why a webhook's deliveries do not arrive, in one line; empty if they do, or if a person
/// disabled it.
std::string trouble_of(simdjson::dom::element webhook);

/// What is wrong with the relay's disk, in capitals, and what follows; empty: nothing.
std::string_view storage_note(simdjson::dom::element status);

/// A delivery with every attempt: request and response with their bodies, errors with their text.
std::string show_delivery(simdjson::dom::element delivery);

/// An event with its data, and its deliveries in a table.
/// @param json  the event, as the relay answered it.
std::string show_event(std::string_view json);

/// A replay: what it is to send again, and how far it has come.
std::string show_replay(simdjson::dom::element replay);

/// The last attempt's result in one word or number; `-` if there is none.
std::string result_of(simdjson::dom::element delivery);

}  // namespace ringpost::cli
