#pragma once

#include "http/syntax.h"
#include "journal/record.h"

#include <string>
#include <string_view>
#include <vector>

namespace ringpost {
class JsonWriter;
}

namespace ringpost::api {

/// A head as the journal keeps it (OutcomeView::request_head, response_head), taken apart. What is
/// not a header line is left out: a far end's bytes are shown, not believed. Borrows from the head.
struct LoggedHead {
  std::string_view first_line;  ///< Of the request or the answer; empty: there was none.
  std::vector<http::FieldLine> headers;

  /// The first header of this name; empty if absent.
  std::string_view header(std::string_view name) const;

  // Of a request's head only.

  std::string_view method() const;
  /// @param tls  whether the request went over TLS, which its head does not say.
  std::string url(bool tls) const;
};

LoggedHead parse_logged_head(std::string_view head);

/// Writes the headers as an object, names as in the head. RFC 9110, 5.3: fields of one
/// name are one list, `a, b`.
void write_headers(JsonWriter& json, const LoggedHead& head);

/// Writes the member `response` of an attempt: what the receiver answered; null if nothing came.
void write_response(JsonWriter& json, const journal::OutcomeView& outcome);

/// Why an attempt got no answer, as a part of a sentence; empty if it got one, or is still
/// under way.
std::string no_answer_reason(const journal::OutcomeView& outcome);

}  // namespace ringpost::api
