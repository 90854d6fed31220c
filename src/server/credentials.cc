#include "server/credentials.h"

#include <cstdlib>
#include <filesystem>
#include <string_view>

namespace ringpost::server {
namespace {

constexpr std::string_view prefix = "@credential:";

/// Empty: none are passed.
std::string directory() {
  const char* const value = std::getenv("CREDENTIALS_DIRECTORY");
  return value == nullptr ? "" : value;
}

}  // namespace

std::optional<std::string> resolve_credential(const std::string& path, std::string& why) {
  if (!path.starts_with(prefix)) return path;
  const std::string name = path.substr(prefix.size());
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos) {
    why = "a credential has a name without slashes: @credential:tls.key";
    return std::nullopt;
  }
  const std::string passed = directory();
  if (passed.empty()) {
    why =
        "no credentials are passed to this process (CREDENTIALS_DIRECTORY is not set): add "
        "LoadCredential=" +
        name + ":FILE to the service's unit, or give the path of a file";
    return std::nullopt;
  }
  return passed + "/" + name;
}

bool is_credential(const std::string& path) {
  const std::string passed = directory();
  if (passed.empty()) return false;
  const auto parent = std::filesystem::path{path}.lexically_normal().parent_path();
  return parent == std::filesystem::path{passed + "/"}.lexically_normal().parent_path();
}

}  // namespace ringpost::server
