#include "control/webhook_warnings.h"

#include "dialect/dialect.h"
#include "subscription/branch_patterns.h"

#include <string>

namespace ringpost::control {
namespace {

using subscription::Webhook;

std::string of_state(const Webhook& webhook) {
  if (webhook.active()) return {};
  return "Nothing is sent: the webhook is " + std::string{subscription::name(webhook.state)} +
         ". Enable it with `ringpost webhook enable " + webhook.id.to_text() + "`.";
}

std::string of_organization(const Webhook& webhook, bool organization_sends) {
  if (organization_sends) return {};
  const std::string& name = webhook.organization;
  return "Nobody can send events for the organization " + name +
         ": it has no token with the scope events:write. If the name is right, create one with "
         "`ringpost token add --name NAME --organization " +
         name + " --scope events:write`.";
}

/// What has no branch is sent nevertheless.
std::string of_branches(const Webhook& webhook) {
  const std::string& text = webhook.filter.branches;
  const auto patterns = subscription::BranchPatterns::compile(text);
  if (text.empty() || !patterns || !patterns->matches_nothing()) return {};
  return "No event with a branch is ever sent: `filter.branches` excludes every branch that it "
         "names. Remove the pattern with \"!\" that excludes too much.";
}

}  // namespace

std::vector<std::string> warnings_of(const Webhook& webhook, bool organization_sends) {
  const dialect::Dialect& dialect = dialect::of(webhook);
  std::vector<std::string> warnings;
  if (dialect.takes_calls(webhook)) return warnings;  // It is called, and sends nothing.
  for (const std::string& warning :
       {of_state(webhook), of_organization(webhook, organization_sends), of_branches(webhook),
        dialect.why_nothing_matches(webhook)}) {
    if (!warning.empty()) warnings.push_back(warning);
  }
  return warnings;
}

}  // namespace ringpost::control
