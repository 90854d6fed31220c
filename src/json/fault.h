#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ringpost::json {

/// Where a text is not JSON, and why.
struct Fault {
  size_t at = 0;          ///< Bytes before the place.
  std::string_view what;  ///< What is wrong there, as a main clause ("a comma is missing"). Static.
};

/// The first place at which `text` is not one JSON text (RFC 8259) in UTF-8, without a byte order
/// mark: the same texts as `Document` and ingest accept. Nothing if it is one. Allocates nothing;
/// for texts that another reader refused, and for those that are checked once and not read.
/// @param levels_max  how many objects and arrays may be inside each other.
std::optional<Fault> find_fault(std::string_view text, uint32_t levels_max);

/// `line 3, column 5 (after 41 bytes): a comma is missing`. Lines and columns count from 1, columns
/// in characters.
/// @param text  in which `fault` is.
std::string describe(const Fault& fault, std::string_view text);

/// Of UTF-8. RFC 8259, 8.1: no JSON text begins with it.
inline constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

}  // namespace ringpost::json
