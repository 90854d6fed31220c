#pragma once

#include "cli/input.h"

#include <simdjson.h>

#include <string>
#include <vector>

// Conditions on an event's data (`filter.data`), as people write and read them.

namespace ringpost::cli {

/// The condition that `--where` asks for, as the API's JSON. Each text is `PATH=VALUE` (also `!=`,
/// `^=` for a prefix, `>`, `>=`, `<`, `<=`), `PATH` for a value that is there, `!PATH` for one that
/// is not, or a condition as JSON, or `@FILE`. A value that is a JSON array asks for one of its
/// elements; a word that looks like a number equals that number, too. All of several must hold; a
/// single empty text asks for nothing (`null`).
Usable<std::string> data_condition(const std::vector<std::string>& where);

/// A condition of the API in one line: `build.status in ("failed", "aborted") and branch = "main"`.
std::string condition_text(simdjson::dom::element condition);

}  // namespace ringpost::cli
