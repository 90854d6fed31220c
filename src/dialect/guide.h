#pragma once

#include <string_view>

namespace ringpost::dialect {

/// How a webhook of this dialect is made on the command line: what the dialect is, what
/// it takes, and at least one command that works. It is in the dialect's folder as guide.txt:
/// lines that begin with two spaces stay as they are. Empty for an unknown dialect.
std::string_view guide(std::string_view dialect);

}  // namespace ringpost::dialect
