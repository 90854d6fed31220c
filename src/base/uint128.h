#pragma once

namespace ringpost {

/// Both our compilers have it; -Wpedantic wants the word that says we know.
__extension__ using Uint128 = unsigned __int128;

}  // namespace ringpost
