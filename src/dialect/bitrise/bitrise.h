#pragma once

namespace ringpost::dialect {
class Dialect;
}

namespace ringpost::dialect::bitrise {

/// The `bitrise` dialect: Bitrise's outgoing webhooks.
const Dialect& dialect();

}  // namespace ringpost::dialect::bitrise
