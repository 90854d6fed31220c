#pragma once

namespace ringpost::dialect {
class Dialect;
}

namespace ringpost::dialect::standard {

/// The `standard` dialect: Standard Webhooks 1.0.
const Dialect& dialect();

}  // namespace ringpost::dialect::standard
