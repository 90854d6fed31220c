#pragma once

namespace ringpost::dialect {
class Dialect;
}

namespace ringpost::dialect::cloudevents {

/// The `cloudevents` dialect: CloudEvents 1.0.2 over HTTP, and the HTTP webhook binding with its
/// abuse protection.
const Dialect& dialect();

}  // namespace ringpost::dialect::cloudevents
