#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost {

/// The word that was probably meant where an unknown one was written: the known one with the fewest
/// letters to change, add or leave out. Nothing if that is half of them or more than three.
std::optional<std::string> meant_word(const std::vector<std::string>& known,
                                      std::string_view unknown);

}  // namespace ringpost
