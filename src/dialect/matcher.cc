#include "dialect/matcher.h"

#include "base/bytes.h"
#include "dialect/dialect.h"

namespace ringpost::dialect {

void Matcher::match(const subscription::Snapshot& snapshot, const journal::EventView& event,
                    const subscription::Token* sender,
                    std::vector<const subscription::Webhook*>& out) {
  subscription::EventKey key{
      .organization = event.organization, .source = event.source, .type = event.type};
  // Without a rule anywhere nobody asks for more, and the data is not looked at.
  if (snapshot.rule_count() == 0) return snapshot.match(key, out);
  data_.assign(as_text(event.data));
  extensions_.assign(event.extensions);
  subscription::EventFacts facts({.organization = event.organization,
                                  .source = event.source,
                                  .type = event.type,
                                  .branch = event.branch},
                                 data_, extensions_, routing(event.type));
  aliases_.clear();
  for (const Dialect* dialect : all()) dialect->add_aliases(facts, aliases_);
  if (sender != nullptr) {
    std::erase_if(aliases_, [&](const std::string& name) { return !sender->may_touch(name); });
  }
  facts.set_other_names(aliases_);
  key.aliases = aliases_;
  key.facts = &facts;
  snapshot.match(key, out);
}

}  // namespace ringpost::dialect
