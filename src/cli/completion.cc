#include "cli/completion.h"

#include <functional>
#include <set>

namespace ringpost::cli {
namespace {

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
}

/// In single quotes, for bash and zsh.
std::string quoted(std::string text) {
  replace_all(text, "'", "'\\''");
  return "'" + text + "'";
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out.append(out.empty() ? "" : " ").append(word);
  return out;
}

/// A path below the program, in one word for identifiers: `webhook rotate-secret` with `_`.
std::string path_text(const CommandFacts& command, std::string_view before) {
  std::string out;
  for (size_t depth = 1; depth < command.path.size(); ++depth) {
    out.append(before).append(command.path[depth]);
  }
  return out;
}

void for_each_command(const CommandFacts& command,
                      const std::function<void(const CommandFacts&)>& visit) {
  visit(command);
  for (const CommandFacts& inner : command.commands) for_each_command(inner, visit);
}

std::string identifier(std::string text) {
  for (char& byte : text) {
    if (byte == '-') byte = '_';
  }
  return text;
}

// --- bash ----------------------------------------------------------------------------------------

/// What is offered for a value: words, or a sort of file.
std::string bash_values(const OptionFacts& option) {
  switch (option.kind) {
    case ValueKind::file: return "FILE";
    case ValueKind::at_file: return "@FILE";
    case ValueKind::none:
    case ValueKind::text: break;
  }
  return joined(option.choices);
}

std::string bash_command(const CommandFacts& command) {
  std::string options;
  std::string takes;
  std::string cases;
  for (const OptionFacts& option : command.options) {
    options += " " + joined(option.names);
    if (option.kind == ValueKind::none) continue;
    takes += " " + joined(option.names);
    std::string pattern = joined(option.names);
    replace_all(pattern, " ", "|");
    const std::string values = bash_values(option);
    if (!values.empty()) cases += "        " + pattern + ") values=" + quoted(values) + " ;;\n";
  }
  std::vector<std::string> words;
  for (const CommandFacts& inner : command.commands) words.push_back(inner.name());
  std::string positional;
  if (!command.positionals.empty()) positional = bash_values(command.positionals.front());
  std::string out = "    " + quoted(path_text(command, " ")) + ")\n";
  out += "      commands=" + quoted(joined(words)) + " options=" + quoted(options.substr(1)) + "\n";
  out += "      takes=" + quoted(takes.empty() ? "" : takes.substr(1)) +
         " values=" + quoted(positional) + "\n";
  return out + "      case \"$2\" in\n" + cases + "        ?*) values='' ;;\n      esac ;;\n";
}

constexpr const char* bash_head =
    "# bash completion for @; written by: @ completion bash\n"
    "# shellcheck shell=bash\n"
    "\n"
    "# Sets commands, options, takes (options with a value) of the command at path $1, and "
    "values:\n"
    "# what may follow its option $2, or be a word by itself where $2 is empty.\n"
    "_@_facts() {\n"
    "  case \"$1\" in\n";

constexpr const char* bash_tail =
    "  esac\n"
    "}\n"
    "\n"
    "_@() {\n"
    "  local path='' option='' text word index=1 last prefix\n"
    "  local commands options takes values\n"
    "  local -a words=()\n"
    "  for text in \"${COMP_WORDS[@]:0:COMP_CWORD+1}\"; do  # Bash has split words at colons.\n"
    "    if ((${#words[@]} > 0)) && [[ $text == ':'* || ${words[-1]} == *: ]]; then\n"
    "      words[-1]+=$text\n"
    "    else\n"
    "      words+=(\"$text\")\n"
    "    fi\n"
    "  done\n"
    "  last=$((${#words[@]} - 1)) word=${words[-1]}\n"
    "  _@_facts '' ''\n"
    "  while ((index < last)); do\n"
    "    text=${words[index]}\n"
    "    index=$((index + 1))\n"
    "    if [[ $text == -* && \" $takes \" == *\" $text \"* ]]; then\n"
    "      [[ ${words[index]-} == '=' ]] && index=$((index + 1))\n"
    "      ((index >= last)) && option=$text\n"
    "      index=$((index + 1))\n"
    "    elif [[ $text != -* && \" $commands \" == *\" $text \"* ]]; then\n"
    "      path+=\" $text\"\n"
    "      _@_facts \"$path\" ''\n"
    "    fi\n"
    "  done\n"
    "  [[ $word == '=' ]] && word=''\n"
    "  _@_facts \"$path\" \"$option\"\n"
    "  COMPREPLY=()\n"
    "  if [[ $option == '' && $word == -* ]]; then\n"
    "    mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$word\")\n"
    "  elif [[ $option == '' && $commands != '' ]]; then\n"
    "    mapfile -t COMPREPLY < <(compgen -W \"$commands\" -- \"$word\")\n"
    "  elif [[ $values == FILE ]]; then\n"
    "    compopt -o filenames 2>/dev/null\n"
    "    mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
    "  elif [[ $values == @FILE ]]; then\n"
    "    mapfile -t COMPREPLY < <(compgen -P @ -f -- \"${word#@}\")\n"
    "  else\n"
    "    mapfile -t COMPREPLY < <(compgen -W \"$values\" -- \"$word\")\n"
    "  fi\n"
    "  if [[ $word == *:* && $COMP_WORDBREAKS == *:* ]]; then\n"
    "    prefix=${word%\"${word##*:}\"}\n"
    "    COMPREPLY=(\"${COMPREPLY[@]#\"$prefix\"}\")\n"
    "  fi\n"
    "}\n"
    "complete -F _@ @\n";

std::string named(std::string text, const std::string& program) {
  std::string function = identifier(program);
  replace_all(text, "_@_facts", "_" + function + "_facts");
  replace_all(text, "_@", "_" + function);
  replace_all(text, "for @;", "for " + program + ";");
  replace_all(text, ": @ ", ": " + program + " ");
  replace_all(text, " @\n", " " + program + "\n");
  return text;
}

std::string bash_script(const CommandFacts& program) {
  std::string out = named(bash_head, program.name());
  for_each_command(program, [&](const CommandFacts& command) { out += bash_command(command); });
  return out + named(bash_tail, program.name());
}

// --- zsh -----------------------------------------------------------------------------------------

/// In the brackets of an _arguments specification.
std::string zsh_text(std::string text) {
  replace_all(text, "\\", "\\\\");
  for (const char* special : {"[", "]", ":"})
    replace_all(text, special, std::string{"\\"} + special);
  return text;
}

std::string zsh_action(const OptionFacts& option) {
  std::string label = option.label;
  replace_all(label, ":", "\\:");
  std::string action;
  if (option.kind == ValueKind::file) action = "_files";
  if (option.kind == ValueKind::at_file) action = "{compset -P @; _files -P @}";
  if (!option.choices.empty()) {
    std::string words = joined(option.choices);
    replace_all(words, ":", "\\:");
    action = "(" + words + ")";
  }
  return ":" + label + ":" + (action.empty() ? " " : action);
}

std::string zsh_command(const CommandFacts& command) {
  std::string out = "_" + identifier(command.path.front() + path_text(command, "_")) + "() {\n";
  out += "  local line state\n  local -a commands\n  _arguments -C";
  for (const OptionFacts& option : command.options) {
    for (const std::string& name : option.names) {
      std::string spec = option.repeatable ? "*" : "(" + joined(option.names) + ")";
      spec += name + (option.kind == ValueKind::none || !name.starts_with("--") ? "" : "=");
      spec += "[" + zsh_text(option.description) + "]";
      if (option.kind != ValueKind::none) spec += zsh_action(option);
      out += " \\\n    " + quoted(spec);
    }
  }
  if (command.commands.empty()) {
    for (const OptionFacts& positional : command.positionals) {
      out += " \\\n    " + quoted(zsh_action(positional));
    }
    return out + "\n}\n\n";
  }
  out +=
      " \\\n    '1: :->command' '*:: :->rest'\n  case $state in\n    command)\n      commands=(\n";
  std::string cases;
  for (const CommandFacts& inner : command.commands) {
    std::string text = inner.description;
    replace_all(text, ":", "\\:");
    out += "        " + quoted(inner.name() + ":" + text) + "\n";
    cases += "        " + inner.name() + ") _" +
             identifier(inner.path.front() + path_text(inner, "_")) + " ;;\n";
  }
  out +=
      "      )\n      _describe -t commands command commands ;;\n    rest)\n      case $line[1] "
      "in\n";
  return out + cases + "      esac ;;\n  esac\n}\n\n";
}

std::string zsh_script(const CommandFacts& program) {
  const std::string name = program.name();
  const std::string function = "_" + identifier(name);
  std::string out = "#compdef " + name + "\n# zsh completion for " + name +
                    "; written by: " + name + " completion zsh\n\n";
  for_each_command(program, [&](const CommandFacts& command) { out += zsh_command(command); });
  // Autoloaded from fpath it is the body of the function; sourced it only announces it.
  return out + "if [[ ${funcstack[1]-} == " + function + " ]]; then\n  " + function +
         " \"$@\"\nelse\n  compdef " + function + " " + name + "\nfi\n";
}

// --- fish ----------------------------------------------------------------------------------------

std::string fish_quoted(std::string text) {
  replace_all(text, "\\", "\\\\");
  replace_all(text, "'", "\\'");
  return "'" + text + "'";
}

/// The condition under which a command's own words are offered.
std::string fish_condition(const CommandFacts& command) {
  return "__" + identifier(command.path.front()) + "_at" + path_text(command, " ");
}

std::string fish_command(const CommandFacts& command) {
  const std::string begin =
      "complete -c " + command.path.front() + " -n " + fish_quoted(fish_condition(command));
  std::string out;
  for (const CommandFacts& inner : command.commands) {
    out += begin + " -f -a " + inner.name() + " -d " + fish_quoted(inner.description) + "\n";
  }
  const auto values = [](const OptionFacts& option) {
    if (option.kind == ValueKind::file) return std::string{" -r -F"};
    if (option.kind == ValueKind::at_file) {
      return std::string{
          " -x -a '(printf \"@%s\\n\" (__fish_complete_path (string replace -r \"^@\" \"\" -- "
          "(commandline -ct))))'"};
    }
    if (option.choices.empty()) return std::string{" -x"};
    return " -x -a " + fish_quoted(joined(option.choices));
  };
  for (const OptionFacts& option : command.options) {
    out += begin;
    for (const std::string& name : option.names) {
      out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
    }
    if (option.kind != ValueKind::none) out += values(option);
    out += " -d " + fish_quoted(option.description) + "\n";
  }
  for (const OptionFacts& positional : command.positionals) {
    if (positional.kind == ValueKind::file) out += begin + " -F\n";
    if (!positional.choices.empty()) {
      out += begin + " -f -a " + fish_quoted(joined(positional.choices)) + "\n";
    }
  }
  return out;
}

/// A function that says whether the words before the cursor lead to just this command.
std::string fish_function(const CommandFacts& program) {
  std::set<std::string> takes;
  std::string paths;
  for_each_command(program, [&](const CommandFacts& command) {
    for (const OptionFacts& option : command.options) {
      if (option.kind != ValueKind::none) takes.insert(option.names.begin(), option.names.end());
    }
    if (command.path.size() > 1) paths += " " + fish_quoted(path_text(command, " ").substr(1));
  });
  const std::string function = identifier(program.name());
  return "function __" + function + "_at\n" +
         "    set -l path\n"
         "    set -l skip 0\n"
         "    set -l takes " +
         joined({takes.begin(), takes.end()}) + "\n" + "    set -l paths" + paths + "\n" +
         "    set -l words (commandline -opc)\n"
         "    for word in $words[2..-1]\n"
         "        if test $skip = 1\n"
         "            set skip 0\n"
         "        else if contains -- $word $takes\n"
         "            set skip 1\n"
         "        else if contains -- (string join ' ' $path $word) $paths\n"
         "            set path $path $word\n"
         "        end\n"
         "    end\n"
         "    test \"$path\" = \"$argv\"\n"
         "end\n\n";
}

std::string fish_script(const CommandFacts& program) {
  std::string out = "# fish completion for " + program.name() + "; written by: " + program.name() +
                    " completion fish\n\n" + fish_function(program);
  out += "complete -c " + program.name() + " -f\n";
  for_each_command(program, [&](const CommandFacts& command) { out += fish_command(command); });
  return out;
}

}  // namespace

std::optional<Shell> parse_shell(std::string_view name) {
  if (name == "bash") return Shell::bash;
  if (name == "zsh") return Shell::zsh;
  if (name == "fish") return Shell::fish;
  return std::nullopt;
}

std::string completion_script(const CommandFacts& program, Shell shell) {
  switch (shell) {
    case Shell::bash: return bash_script(program);
    case Shell::zsh: return zsh_script(program);
    case Shell::fish: return fish_script(program);
  }
  return {};
}

}  // namespace ringpost::cli
