#include "cli/tree.h"

#include <algorithm>
#include <string_view>

namespace ringpost::cli {
namespace {

/// CLI11 says a value's type and checks in one text: `TYPE:{a,b}`.
void read_type(const std::string& type, OptionFacts& facts) {
  const size_t colon = type.find(':');
  facts.label = type.substr(0, colon);
  if (colon == std::string::npos || !type.substr(colon + 1).starts_with('{')) return;
  std::string_view list = std::string_view{type}.substr(colon + 2);
  list = list.substr(0, list.find('}'));
  while (!list.empty()) {
    const size_t end = std::min(list.find(','), list.size());
    facts.choices.emplace_back(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
}

ValueKind kind_of(const std::string& label) {
  if (label == "@FILE") return ValueKind::at_file;
  if (label == "FILE" || label == "DIR") return ValueKind::file;
  return ValueKind::text;
}

OptionFacts facts_of(const CLI::Option& option) {
  OptionFacts facts;
  for (const std::string& name : option.get_snames()) facts.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) facts.names.push_back("--" + name);
  if (option.get_positional() && facts.names.empty()) facts.names.push_back(option.get_name(true));
  if (option.get_items_expected_max() > 0) {
    read_type(option.get_type_name(), facts);
    facts.kind = kind_of(facts.label);
  }
  facts.description = option.get_description();
  facts.group = option.get_group();
  facts.default_text = option.get_default_str();
  facts.required = option.get_required();
  facts.repeatable = option.get_expected_max() > 1;
  return facts;
}

CommandFacts command_facts(const CLI::App& app, std::vector<std::string> path) {
  CommandFacts facts;
  path.push_back(app.get_name());
  facts.path = std::move(path);
  facts.description = app.get_description();
  facts.notes = app.get_footer();
  for (const CLI::Option* option : app.get_options([](const CLI::Option* one) {
         return !one->get_group().empty() || one->get_positional();
       })) {
    auto& list = option->nonpositional() ? facts.options : facts.positionals;
    list.push_back(facts_of(*option));
  }
  for (const CLI::App* command : app.get_subcommands([](const CLI::App* one) {
         return !one->get_group().empty() && !one->get_name().empty();
       })) {
    facts.commands.push_back(command_facts(*command, facts.path));
  }
  return facts;
}

}  // namespace

CommandFacts facts_of(const CLI::App& program) {
  return command_facts(program, {});
}

}  // namespace ringpost::cli
