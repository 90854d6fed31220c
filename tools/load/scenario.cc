#include "cli/text.h"
#include "load/options.h"

#include <toml++/toml.h>

namespace ringpost::load {
namespace {

struct Problem {
  std::string text;
};

std::string place(const std::string& file, const toml::source_region& source) {
  return cli::shown(file) + ":" + std::to_string(source.begin.line);
}

/// A value as the command line has it.
std::string word_of(const std::string& where, const std::string& key, const toml::node& value) {
  if (const auto* text = value.as_string()) return text->get();
  if (const auto* number = value.as_integer()) return std::to_string(number->get());
  if (const auto* number = value.as_floating_point()) {
    std::string text = std::to_string(number->get());
    text.erase(std::max(text.find_last_not_of('0') + 1, text.find('.') + 2));
    return text;
  }
  throw Problem{where + ": " + key + " must be text or a number"};
}

void append_words(std::vector<std::string>& words, const std::string& where, const std::string& key,
                  const CLI::Option& option, const toml::node& value) {
  const auto* flag = value.as_boolean();
  const bool is_flag = option.get_items_expected_max() == 0;
  if (is_flag && flag == nullptr) throw Problem{where + ": " + key + " must be true or false"};
  if (flag != nullptr && !is_flag) throw Problem{where + ": " + key + " needs a value"};
  if (is_flag) {
    if (flag->get()) words.push_back("--" + key);
    return;
  }
  const auto* list = value.as_array();
  if (list == nullptr) {
    words.push_back("--" + key + "=" + word_of(where, key, value));
    return;
  }
  if (option.get_items_expected_max() == 1) {
    throw Problem{where + ": " + key + " must be one value, not a list"};
  }
  for (const toml::node& entry : *list) {
    words.push_back("--" + key + "=" + word_of(where, key, entry));
  }
}

}  // namespace

cli::Usable<std::vector<std::string>> read_scenario(const std::string& file,
                                                    const CLI::App& command) {
  const auto text = cli::read_text_file(file);
  if (const auto* problem = std::get_if<cli::UsageProblem>(&text)) return *problem;
  try {
    const toml::table table = toml::parse(std::get<std::string>(text));
    std::vector<std::string> words;
    for (const auto& [name, value] : table) {
      const std::string key{name.str()};
      const std::string where = place(file, value.source());
      const CLI::Option* option = command.get_option_no_throw("--" + key);
      if (key == "scenario" || key == "help" || option == nullptr) {
        throw Problem{where + ": there is no key " + cli::shown(key) +
                      "; keys are the long options of ringpost-load " + command.get_name()};
      }
      append_words(words, where, key, *option, value);
    }
    return words;
  } catch (const toml::parse_error& error) {
    return cli::UsageProblem{place(file, error.source()) + ": " + cli::shown(error.description())};
  } catch (const Problem& problem) {
    return cli::UsageProblem{problem.text};
  }
}

}  // namespace ringpost::load
