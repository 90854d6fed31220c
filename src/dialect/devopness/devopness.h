#pragma once

namespace ringpost::dialect {
class Dialect;
}

namespace ringpost::dialect::devopness {

const Dialect& dialect();

}  // namespace ringpost::dialect::devopness
