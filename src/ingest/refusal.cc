#include "ingest/refusal.h"

#include <string>
#include <string_view>
#include <utility>

namespace ringpost::ingest {

Refusal wrong(std::string_view member, std::string_view complaint) {
  return {422, '`' + std::string{member} + "` " + std::string{complaint} + '.', 0,
          std::string{member}};
}

Refusal missing(std::string_view member, std::string_view slip) {
  if (slip.empty()) return wrong(member, "is missing");
  return wrong(member, "is missing; perhaps `" + std::string{slip} + "` is meant to be it");
}

namespace {

constexpr std::string_view share_type = "urn:ringpost:share-used-up";
constexpr std::string_view storage_failed_type = "urn:ringpost:storage-failed";

Counter counter_of(const http::Problem& problem) {
  switch (problem.status) {
    case 401:
    case 403:
    case 421: return Counter::events_refused_unauthorized;
    case 429:
      return problem.type == share_type ? Counter::events_over_share
                                        : Counter::events_refused_throttled;
    case 503:
      return problem.type == storage_failed_type ? Counter::events_refused_storage_failed
                                                 : Counter::events_refused_overloaded;
    case 507: return Counter::events_refused_no_space;
    default: return Counter::events_refused_invalid;
  }
}

}  // namespace

void count_refusal(Counters& counters, const http::Problem& problem) {
  counters.add(Counter::events_refused);
  counters.add(counter_of(problem));
}

http::Problem share_refusal(std::string detail, uint32_t retry_after_s) {
  return {.status = 429,
          .type = std::string{share_type},
          .detail = std::move(detail),
          .retry_after_s = retry_after_s};
}

http::Problem bodies_refusal() {
  return {.status = 503,
          .type = "urn:ringpost:overloaded",
          .detail =
              "The memory limit for request bodies is reached (ingest.bodies_bytes_max). Nothing "
              "of this request was stored; send it again in a moment.",
          .retry_after_s = 5};
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
              .type = std::string{storage_failed_type},
              .detail =
                  "A write to the journal failed; this relay takes no events until it is "
                  "restarted.",
              .retry_after_s = 30};
  }
}

}  // namespace ringpost::ingest
