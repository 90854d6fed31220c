#include "cli/manual.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <set>
#include <string_view>

namespace ringpost::cli {
namespace {

/// The character at the front of `text`, which is our own UTF-8, and its size in bytes.
std::pair<uint32_t, size_t> first_character(std::string_view text) {
  const auto lead = static_cast<uint8_t>(text.front());
  const size_t size = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  uint32_t code = size == 1 ? lead : lead & (0xFFu >> (size + 1));
  for (size_t index = 1; index < std::min(size, text.size()); ++index) {
    code = code << 6 | (static_cast<uint8_t>(text[index]) & 0x3Fu);
  }
  return {code, std::min(size, text.size())};
}

/// Text within a line, so that what is shown can be copied into a shell: groff would make
/// typographic signs of some.
std::string escaped(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto [code, size] = first_character(text);
    switch (code) {
      case '\\': out += "\\e"; break;
      case '-': out += "\\-"; break;
      case '\'': out += "\\(aq"; break;
      case '`': out += "\\(ga"; break;
      case '^': out += "\\(ha"; break;
      case '~': out += "\\(ti"; break;
      case '"': out += "\\(dq"; break;
      default:
        if (code < 0x80) {
          out += static_cast<char>(code);
        } else {
          char name[16];
          std::snprintf(name, sizeof name, "\\[u%04X]", static_cast<unsigned>(code));
          out += name;
        }
    }
    text.remove_prefix(size);
  }
  return out;
}

/// A line of text: a full stop at its beginning would be a request.
std::string line(std::string_view text) {
  std::string out = escaped(text);
  if (out.starts_with('.')) out.insert(0, "\\&");
  return out + "\n";
}

std::string bold(std::string_view text) {
  return "\\fB" + escaped(text) + "\\fR";
}

std::string italic(std::string_view text) {
  return "\\fI" + escaped(text) + "\\fR";
}

std::string upper(std::string text) {
  for (char& byte : text) {
    if (byte >= 'a' && byte <= 'z') byte = static_cast<char>(byte - ('a' - 'A'));
  }
  return text;
}

std::string section(const std::string& title) {
  return ".SH " + escaped(upper(title)) + "\n";
}

std::vector<std::string_view> split(std::string_view text, std::string_view by) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const size_t end = std::min(text.find(by), text.size());
    parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + by.size(), text.size()));
  }
  return parts;
}

// --- notes ---------------------------------------------------------------------------------------

constexpr std::string_view exit_prefix = "Exit codes: ";

/// `NAME - text`, as a list's entry; nothing if the paragraph has another form.
std::optional<std::string> entry(std::string_view paragraph) {
  const size_t dash = paragraph.find(" - ");
  if (dash == std::string_view::npos ||
      paragraph.substr(0, dash).find(' ') != std::string_view::npos)
    return std::nullopt;
  return ".TP\n" + bold(paragraph.substr(0, dash)) + "\n" + line(paragraph.substr(dash + 3));
}

/// One paragraph: text is filled, lines that begin with two spaces stay as they are.
std::string paragraph(std::string_view text) {
  std::string out;
  bool literal = false;
  const auto turn = [&](bool to) {
    if (to == literal) return;
    out += to ? ".EX\n" : ".EE\n";
    literal = to;
  };
  for (std::string_view one : split(text, "\n")) {
    const bool stays = one.starts_with("  ");
    turn(stays);
    out += line(stays ? one.substr(2) : one);
  }
  turn(false);
  return out;
}

struct Notes {
  std::string text;   ///< roff
  std::string exits;  ///< What follows `Exit codes:`, as it is.
};

Notes read_notes(const std::string& notes) {
  Notes read;
  bool begun = false;
  for (std::string_view part : split(notes, "\n\n")) {
    while (part.starts_with('\n')) part.remove_prefix(1);
    const size_t exits = part.find(exit_prefix);
    if (exits != std::string_view::npos) {
      read.exits = part.substr(exits + exit_prefix.size());
      part = part.substr(0, exits);
      while (part.ends_with('\n')) part.remove_suffix(1);
    }
    if (part.empty()) continue;
    if (const auto listed = entry(part)) {
      read.text += *listed;
    } else {
      read.text += (begun ? ".PP\n" : "") + paragraph(part);
    }
    begun = true;
  }
  return read;
}

/// `0 done; 1 …; 2 ….` as a list.
std::string exit_list(std::string_view text) {
  std::string out;
  while (text.ends_with('.')) text.remove_suffix(1);
  for (std::string_view one : split(text, "; ")) {
    const size_t space = std::min(one.find(' '), one.size());
    out += ".TP\n" + bold(one.substr(0, space)) + "\n";
    out += line(one.substr(std::min(space + 1, one.size())));
  }
  return out;
}

// --- commands ------------------------------------------------------------------------------------

std::string spaced(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out.append(out.empty() ? "" : " ").append(word);
  return out;
}

std::string synopsis(const CommandFacts& command) {
  std::string out = bold(spaced(command.path));
  if (!command.options.empty()) out += " [" + italic("OPTION") + "]...";
  for (const OptionFacts& one : command.positionals) {
    const std::string name = italic(one.names.front());
    out += one.required ? " " + name : " [" + name + "]";
  }
  if (!command.commands.empty()) out += " " + italic("COMMAND");
  return out + "\n";
}

std::string option_entry(const OptionFacts& option) {
  std::string out = ".TP\n";
  for (const std::string& name : option.names) {
    if (&name != &option.names.front()) out += ", ";
    out += name.starts_with('-') ? bold(name) : italic(name);
  }
  if (!option.label.empty() && option.names.front().starts_with('-')) {
    out += " " + italic(option.label);
  }
  std::string text = option.description;
  const auto add = [&](std::string_view more) {
    text.append(text.empty() ? "" : "; ").append(more);
  };
  if (option.required) add("required");
  if (!option.choices.empty()) {
    std::string words = "one of";
    for (const std::string& word : option.choices) {
      words.append(&word == &option.choices.front() ? " " : ", ").append(word);
    }
    add(words);
  }
  if (!option.default_text.empty()) add("default: " + option.default_text);
  return out + "\n" + line(text);
}

/// Positionals, then each group of options under its name, in the order of the help.
std::string option_list(const CommandFacts& command) {
  std::string out;
  for (const OptionFacts& one : command.positionals) out += option_entry(one);
  std::vector<std::string> groups;
  for (const OptionFacts& one : command.options) {
    if (std::ranges::find(groups, one.group) == groups.end()) groups.push_back(one.group);
  }
  // What only says how to be helped comes last.
  std::ranges::stable_partition(groups, [](const std::string& one) { return one != "Options"; });
  for (const std::string& group : groups) {
    if (groups.size() > 1) out += ".PP\n" + bold(group) + "\n";
    for (const OptionFacts& one : command.options) {
      if (one.group == group) out += option_entry(one);
    }
  }
  return out;
}

std::string subcommand(const CommandFacts& command) {
  const Notes notes = read_notes(command.notes);
  std::string out = ".SS " + escaped(spaced(command.path)) + "\n" + synopsis(command) + ".PP\n";
  out += line(command.description + ".") + option_list(command);
  if (!notes.text.empty()) out += ".PP\n" + notes.text;
  return out;
}

// --- pages ---------------------------------------------------------------------------------------

std::string page_name(const CommandFacts& command) {
  std::string name;
  for (const std::string& word : command.path) name.append(name.empty() ? "" : "-").append(word);
  return name;
}

struct Page {
  const CommandFacts& command;
  const ManualNotes& notes;
  const std::string& date;
  bool has_pages_below = false;
};

std::string head(const Page& page) {
  const std::string name = page_name(page.command);
  std::string summary = page.command.description;
  summary = summary.substr(0, summary.find('\n'));
  while (summary.ends_with('.')) summary.pop_back();
  const std::string prefix = page.command.name() + ": ";
  if (summary.starts_with(prefix)) summary.erase(0, prefix.size());
  std::string out = ".TH " + escaped(upper(name)) + " 1 " + page.date + " \"" +
                    escaped(page.notes.version) + "\" \"User commands\"\n";
  out += section("name") + escaped(name) + " \\- " + escaped(summary) + "\n";
  out += section("synopsis") + synopsis(page.command);
  if (page.has_pages_below) return out;
  for (const CommandFacts& inner : page.command.commands) out += ".br\n" + synopsis(inner);
  return out;
}

std::string commands_of(const Page& page) {
  if (page.command.commands.empty()) return {};
  std::string out = section("commands");
  if (!page.has_pages_below) {
    for (const CommandFacts& inner : page.command.commands) out += subcommand(inner);
    return out;
  }
  for (const CommandFacts& inner : page.command.commands) {
    out += ".TP\n.BR " + escaped(page_name(inner)) + " (1)\n" + line(inner.description);
  }
  return out;
}

std::string see_also(const Page& page) {
  std::vector<std::string> names;
  if (page.command.path.size() > 1) names.push_back(page.command.path.front());
  if (page.has_pages_below) {
    for (const CommandFacts& inner : page.command.commands) names.push_back(page_name(inner));
  }
  names.insert(names.end(), page.notes.see_also.begin(), page.notes.see_also.end());
  if (names.empty()) return {};
  std::ranges::sort(names);
  std::string out = section("see also");
  for (const std::string& name : names) {
    out += ".BR " + escaped(name) + " (1)" + (name == names.back() ? "\n" : ",\n");
  }
  return out;
}

std::string write_page(const Page& page) {
  const CommandFacts& command = page.command;
  const Notes notes = read_notes(command.notes);
  std::string out = head(page) + section("description");
  for (std::string_view part : split(command.description, "\n")) out += line(part);
  if (!notes.text.empty()) out += ".PP\n" + notes.text;
  out += commands_of(page);
  std::string options = option_list(command);
  if (options.starts_with(".PP\n")) options.erase(0, 4);  // A section begins a paragraph itself.
  if (!options.empty()) out += section("options") + options;
  if (!notes.exits.empty()) out += section("exit status") + exit_list(notes.exits);
  if (command.path.size() == 1) {
    for (const ManualSection& one : page.notes.sections) {
      out += section(one.title) + read_notes(one.text).text;
    }
    if (!page.notes.examples.empty()) {
      out += section("examples") + read_notes(page.notes.examples).text;
    }
  }
  return out + see_also(page);
}

/// Today, or what SOURCE_DATE_EPOCH says: a package built twice is the same twice.
std::string date_of_build() {
  std::time_t now = std::time(nullptr);
  if (const char* epoch = std::getenv("SOURCE_DATE_EPOCH")) now = std::strtoll(epoch, nullptr, 10);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[16];
  std::strftime(text, sizeof text, "%Y-%m-%d", &parts);
  return text;
}

}  // namespace

std::map<std::string, std::string> manual_pages(const CommandFacts& program,
                                                const ManualNotes& notes, const std::string& date) {
  std::map<std::string, std::string> pages;
  const bool apart = notes.page_for_each_command;
  pages[page_name(program) + ".1"] = write_page({program, notes, date, apart});
  if (!apart) return pages;
  for (const CommandFacts& command : program.commands) {
    pages[page_name(command) + ".1"] = write_page({command, notes, date, false});
  }
  return pages;
}

std::optional<int> write_manual(const CLI::App& program, int argument_count, char** arguments,
                                const ManualNotes& notes) {
  if (argument_count < 2 || std::string_view{arguments[1]} != "--write-manual") return std::nullopt;
  auto pages = manual_pages(facts_of(program), notes, date_of_build());
  const std::vector<std::string> files(arguments + 2, arguments + argument_count);
  for (const std::string& file : files) {
    const auto page = pages.find(file.substr(file.rfind('/') + 1));
    std::ofstream out;
    if (page != pages.end()) out.open(file, std::ios::binary);
    if (page == pages.end() || !(out << page->second).flush()) {
      std::fprintf(stderr, "%s is not a page of the manual, or cannot be written\n", file.c_str());
      return 1;
    }
    pages.erase(page);
  }
  for (const auto& [name, text] : pages) {
    std::fprintf(stderr, "the page %s is not asked for; name it in meson.build\n", name.c_str());
  }
  return pages.empty() ? 0 : 1;
}

}  // namespace ringpost::cli
