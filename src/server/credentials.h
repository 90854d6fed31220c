#pragma once

#include <optional>
#include <string>

namespace ringpost::server {

// Files that a service manager passes to this process alone (systemd: LoadCredential=), in the
// directory that CREDENTIALS_DIRECTORY names.

/// @param path  as the configuration has it: a path, or `@credential:NAME`.
/// @param why   set on failure: why there is no such credential, and how to mend it.
/// @returns the path of the file.
std::optional<std::string> resolve_credential(const std::string& path, std::string& why);

/// Whether the file is one of them: no other user reaches their directory, whatever their mode
/// says.
bool is_credential(const std::string& path);

}  // namespace ringpost::server
