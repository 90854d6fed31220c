#include "control/api/history.h"

#include "base/bytes.h"

#include <algorithm>

namespace ringpost::control {

using journal::EventView;
using subscription::Token;
using subscription::Webhook;

Problem no_delivery() {
  return refusal(404, "there is no such delivery");
}

Problem history_unreadable(const Error& error) {
  Problem problem = refusal(503, "the history cannot be read for now: " + describe(error));
  problem.retry_after_s = 1;
  return problem;
}

std::optional<Problem> still_indexing(const JournalAccess& journals) {
  const uint64_t segments = journals.unindexed();
  if (segments == 0) return std::nullopt;
  Problem problem =
      refusal(503, "it was not found yet: the indexes of " + std::to_string(segments) +
                       " journal segments are still being made; try again shortly");
  problem.retry_after_s = 1;
  return problem;
}

Problem unreadable(const Error& error) {
  if (error.code == Errc::not_found) return refusal(404, "the event is no longer stored");
  return refusal(503, "the stored event cannot be read: " + describe(error));
}

bool may_see(const Token& token, const Webhook& webhook) {
  return webhook.organization == token.organization && token.covers(webhook.sources);
}

bool may_see(const Token& token, const EventView& event) {
  return event.organization == token.organization && token.may_touch(event.source);
}

index::PageQuery page_query(const DeliveryFilter& filter, const index::TextHash& hash) {
  index::PageQuery query;
  query.status = filter.status;
  if (filter.type) query.type_hash = hash.of(*filter.type);
  if (filter.source) query.source_hash = hash.of(*filter.source);
  query.since = filter.since;
  query.until = filter.until;
  query.error = filter.error;
  query.http_statuses = filter.http_statuses;
  return query;
}

bool is_meant(const DeliveryFilter& filter, const EventView& event) {
  if (filter.type && event.type != *filter.type) return false;
  if (filter.source && event.source != *filter.source) return false;
  if (filter.since && event.accepted_at < *filter.since) return false;
  return !filter.until || event.accepted_at < *filter.until;
}

bool is_repeat_of(const EventView& event, const std::optional<Ulid>& delivery) {
  if (!delivery) return true;
  return event.is_redelivery() && event.redelivery_of.as_uuid() == delivery->as_uuid();
}

bool contains_text(Bytes bytes, std::string_view text) {
  const auto lower = [](char byte) {
    return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + ('a' - 'A')) : byte;
  };
  const auto same = [&lower](char left, char right) { return lower(left) == lower(right); };
  const std::string_view all = as_text(bytes);
  return !std::ranges::search(all, text, same).empty();
}

std::string other_spelling(const std::string& id) {
  const auto minted = Ulid::parse_either(id);
  return minted ? minted->to_text() : id;
}

}  // namespace ringpost::control
