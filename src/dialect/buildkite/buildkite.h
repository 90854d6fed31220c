#pragma once

namespace ringpost::dialect {
class Dialect;
}

namespace ringpost::dialect::buildkite {

/// The `buildkite` dialect: notification services of Buildkite Pipelines that are webhooks.
const Dialect& dialect();

}  // namespace ringpost::dialect::buildkite
