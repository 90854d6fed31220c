#include "ingest/refusal.h"

namespace ringpost::ingest {

Refusal wrong(std::string_view member, std::string_view complaint) {
  return {422, '`' + std::string{member} + "` " + std::string{complaint} + '.', 0,
          std::string{member}};
}

Refusal missing(std::string_view member, std::string_view slip) {
  if (slip.empty()) return wrong(member, "is missing");
  return wrong(member, "is missing; perhaps `" + std::string{slip} + "` is meant to be it");
}

http::Problem journal_refusal(const Error& error, uint32_t retry_after_s) {
  switch (error.code) {
    case Errc::out_of_space:
      return {.status = 507,
              .type = "urn:ringpost:out-of-space",
              .detail =
                  "The journal has no room: its next file cannot be prepared, most often "
                  "because the disk is full; `ringpost status` says why. Stored events are "
                  "still delivered.",
              .retry_after_s = 5};
    case Errc::too_large:
      return {.status = 413,
              .type = "urn:ringpost:too-large",
              .detail =
                  "The events and the lists of their webhooks do not fit into a journal file "
                  "(journal.segment_bytes): send fewer in one request."};
    case Errc::overloaded:
      return {.status = 503,
              .type = "urn:ringpost:overloaded",
              .detail =
                  "The journal cannot keep up. Nothing of this request was stored; send it again.",
              .retry_after_s = retry_after_s};
    default:
      return {.status = 503,
              .type = "urn:ringpost:storage-failed",
              .detail =
                  "A write to the journal failed; this relay takes no events until it is "
                  "restarted.",
              .retry_after_s = 30};
  }
}

}  // namespace ringpost::ingest
