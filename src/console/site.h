#pragma once

#include "http/message.h"

#include <optional>
#include <span>
#include <string_view>

namespace ringpost::console {

/// One file of the console, as the build made it (bundle.py). All text lives as long as the
/// program.
struct File {
  std::string_view name;  ///< `app.1B2C3D4E.js`: a name is never used for another content.
  std::string_view content_type;
  std::string_view content;
  std::string_view compressed;  ///< The same with gzip.
  std::string_view tag;         ///< For the header ETag; weak, since both codings have it.
};

/// The page that every address of the console shows, and what it loads. Both are empty in a build
/// without the console.
const File& page();
std::span<const File> assets();

/// What a listener that serves the console answers; nothing: the path is not the console's. From
/// any thread.
std::optional<http::Response> answer(const http::Request& request);

/// The same for these files, for tests.
std::optional<http::Response> answer(const http::Request& request, const File& page,
                                     std::span<const File> assets);

}  // namespace ringpost::console
