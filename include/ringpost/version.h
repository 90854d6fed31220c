#pragma once

namespace ringpost {

/// The product's version, as in `User-Agent: ringpost/<version>` and `ringpost --version`.
inline constexpr const char* version = "0.1.0";

}  // namespace ringpost
