#include "dialect/matcher.h"

#include "base/bytes.h"
#include "dialect/dialect.h"
#include "subscription/patterns.h"

#include <algorithm>
#include <limits>

namespace ringpost::dialect {
namespace {

/// What it costs to look a webhook up and to ask its rule, beside what the rule looks at.
constexpr int64_t question_work = 100;

}  // namespace

std::span<const uint32_t> Matcher::match(const subscription::Snapshot& snapshot,
                                         const journal::EventView& event,
                                         const subscription::Token* sender) {
  begin(snapshot, event, sender);
  int64_t work = std::numeric_limits<int64_t>::max();
  const bool done = proceed(snapshot, work);
  RINGPOST_ASSERT(done);
  return found_;
}

void Matcher::begin(const subscription::Snapshot& snapshot, const journal::EventView& event,
                    const subscription::Token* sender) {
  subscription::EventKey key{
      .organization = event.organization, .source = event.source, .type = event.type};
  // Without a rule anywhere nobody asks for more, and the data is not looked at.
  facts_.reset();
  if (snapshot.rule_count() > 0) {
    find_names(event, sender);
    key.aliases = aliases_;
  }
  webhooks_.clear();
  snapshot.match(key, webhooks_);
  candidates_.clear();
  for (const subscription::Webhook* webhook : webhooks_) {
    candidates_.push_back({webhook->number, webhook->rule != nullptr});
  }
  asked_ = 0;
  found_.clear();
}

/// Other names of the event's source, which its data may tell.
void Matcher::find_names(const journal::EventView& event, const subscription::Token* sender) {
  data_.assign(as_text(event.data));
  extensions_.assign(event.extensions);
  facts_.emplace(subscription::EventFacts::Attributes{.organization = event.organization,
                                                      .source = event.source,
                                                      .type = event.type,
                                                      .branch = event.branch},
                 data_, extensions_, routing(event.type));
  aliases_.clear();
  for (const Dialect* dialect : all()) dialect->add_aliases(*facts_, aliases_);
  if (sender != nullptr) {
    std::erase_if(aliases_, [&](const std::string& name) { return !sender->may_touch(name); });
  }
  facts_->set_other_names(aliases_);
}

bool Matcher::proceed(const subscription::Snapshot& snapshot, int64_t& work_left) {
  for (; asked_ < candidates_.size(); ++asked_) {
    const Candidate& candidate = candidates_[asked_];
    if (!candidate.has_rule) {
      found_.push_back(candidate.number);
      continue;
    }
    if (work_left <= 0) return false;
    const uint64_t before = facts_->work();
    const subscription::Webhook* webhook = snapshot.webhook(candidate.number);
    // One that was deleted since `begin` wants nothing; one that was changed is asked as it is now.
    const bool wants =
        webhook != nullptr && webhook->rule != nullptr && webhook->rule->wants(*facts_);
    if (wants) found_.push_back(candidate.number);
    work_left -= question_work + static_cast<int64_t>(facts_->work() - before);
  }
  return true;
}

std::string Matcher::why_not(const subscription::Webhook& webhook,
                             const journal::EventView& event) {
  find_names(event, nullptr);
  const std::span<const std::string> aliases{
      aliases_.data(), std::min(aliases_.size(), subscription::EventKey::aliases_max)};
  const auto is_of = [&](const std::string& pattern) {
    return subscription::source_matches(pattern, event.source) ||
           std::ranges::find(aliases, pattern) != aliases.end();
  };
  if (std::ranges::none_of(webhook.sources, is_of)) return "its source is not among `sources`";
  if (!subscription::any_event_matches(webhook.events, event.type)) {
    return "its type is not among `events`";
  }
  return webhook.rule == nullptr ? std::string{} : webhook.rule->why_not(*facts_);
}

}  // namespace ringpost::dialect
