#include "dialect/bitrise/bitrise.h"
#include "dialect/buildkite/buildkite.h"
#include "dialect/cloudevents/cloudevents.h"
#include "dialect/devopness/devopness.h"
#include "dialect/dialect.h"
#include "dialect/git_status/git_status.h"
#include "dialect/standard/standard.h"

#include <array>

// The one place that names the dialects. A new one is a folder, and a line here.

namespace ringpost::dialect {

std::span<const Dialect* const> all() {
  static const std::array dialects{&standard::dialect(),    &bitrise::dialect(),
                                   &buildkite::dialect(),   &devopness::dialect(),
                                   &cloudevents::dialect(), &git_status::dialect()};
  return dialects;
}

}  // namespace ringpost::dialect
