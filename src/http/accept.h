#pragma once

#include "http/message.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::http {

/// One entry of an Accept header (RFC 9110, 12.5.1): `text/plain;version=0.0.4;q=0.5`.
struct MediaRange {
  std::string type;  ///< In lower case: `text/plain`, `text/*` or `*/*`.
  struct Parameter {
    std::string name;   ///< In lower case.
    std::string value;  ///< Without quotes.
  };
  std::vector<Parameter> parameters;  ///< Without `q`.
  uint32_t quality = 1000;            ///< Thousandths; 0: not wanted.

  /// The parameter's value; empty: there is none.
  std::string_view parameter(std::string_view name) const;
};

/// What all Accept headers of the request list, in their order. Entries that break the grammar are
/// left out: a client that writes them gets what one without them gets.
std::vector<MediaRange> accepted_types(const Request& request);

/// Whether the answer may be compressed with gzip (RFC 9110, 12.5.3). A request that says nothing
/// of codings gets none: its client may not be able to read one.
bool accepts_gzip(const Request& request);

/// Whether `If-None-Match` names this entity tag, so that the client has the answer already (RFC
/// 9110, 13.1.2).  @param tag  as the header ETag has it, with its quotes; may be weak.
bool names_tag(std::string_view if_none_match, std::string_view tag);

}  // namespace ringpost::http
