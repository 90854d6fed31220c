#pragma once

namespace ringpost::dialect {
class Dialect;
}

namespace ringpost::dialect::git_status {

/// The `git-status` dialect: what a build event says, as a commit status at the git host.
const Dialect& dialect();

}  // namespace ringpost::dialect::git_status
