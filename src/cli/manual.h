#pragma once

#include "cli/tree.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace ringpost::cli {

/// A heading and its text, as in CommandFacts::notes: paragraphs parted by empty lines, lines that
/// begin with two spaces as they are. A paragraph `NAME - text` becomes an entry of a list.
struct ManualSection {
  std::string title;
  std::string text;
};

/// What the command line cannot tell.
struct ManualNotes {
  std::string version;  ///< As in the foot of each page: `ringpost 0.1.0`.
  std::vector<ManualSection>
      sections;                       ///< For the program's own page, before EXAMPLES and SEE ALSO.
  std::string examples;               ///< Of the program's own page; may be empty.
  std::vector<std::string> see_also;  ///< Other programs with a page in section 1.
  /// Whether each command has its own page, with its subcommands; otherwise one page has all.
  bool page_for_each_command = false;
};

/// The manual: file name (`ringpost-webhook.1`) to roff for man(7), ASCII only.
///
/// @param date  `2031-05-04`, of the foot.
std::map<std::string, std::string> manual_pages(const CommandFacts& program,
                                                const ManualNotes& notes, const std::string& date);

/// For the build: `PROGRAM --write-manual FILE...` writes the manual, each page to the file of its
/// name, and fails if pages and files are not the same set. Not in help and completion. The date is
/// that of SOURCE_DATE_EPOCH, or today.
///
/// @returns the exit code; nothing if the arguments ask for something else.
std::optional<int> write_manual(const CLI::App& program, int argument_count, char** arguments,
                                const ManualNotes& notes);

}  // namespace ringpost::cli
