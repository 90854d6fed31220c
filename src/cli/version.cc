#include "ringpost/version.h"

#include "base/json_writer.h"
#include "cli/commands.h"
#include "cli/dependencies.h"

#include <cstdio>
#include <memory>

namespace ringpost::cli {
namespace {

struct VersionOptions {
  bool verbose = false;
  bool json = false;
};

void print_dependencies() {
  Table table({"library", "version", "from", "linked", "for"});
  for (const Dependency& each : dependencies()) {
    table.add({each.name, each.version, each.origin, each.linked, each.purpose});
  }
  std::fputs(table.to_text().c_str(), stdout);
}

int print_version(const VersionOptions& options) {
  if (options.json) {
    std::fputs(version_json().c_str(), stdout);
    return 0;
  }
  std::printf("ringpost %s\n", version);
  if (options.verbose) print_dependencies();
  return 0;
}

}  // namespace

std::string version_json() {
  std::string text;
  JsonWriter json(text);
  json.begin_object().member("version", version).key("dependencies").begin_array();
  for (const Dependency& dependency : dependencies()) {
    json.begin_object()
        .member("name", dependency.name)
        .member("version", dependency.version)
        .member("origin", dependency.origin)
        .member("linked", dependency.linked)
        .member("purpose", dependency.purpose)
        .end_object();
  }
  json.end_array().end_object();
  return text + "\n";
}

void add_version_command(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("version", "Print the version, and what it is built from");
  auto options = std::make_shared<VersionOptions>();
  command->add_flag(
      "--verbose", options->verbose,
      "Also each library, as it was at the build: version, where from, how it is linked");
  command->add_flag("--json", options->json, "Print all of it as JSON");
  command->footer(exit_codes_alone);
  command->callback([&action, options] { action = [options] { return print_version(*options); }; });
}

}  // namespace ringpost::cli
