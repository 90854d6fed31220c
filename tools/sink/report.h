#pragma once

#include "base/clock.h"

#include <string>

namespace ringpost::sink {

class Endpoints;

/// What was received, as a table for people. @param elapsed  since the start.
std::string report_table(const Endpoints& endpoints, Duration elapsed);
/// The same and more, for programs: one line of JSON without its end. tools/sink/README.md has
/// every member.
std::string report_json(const Endpoints& endpoints, Duration elapsed);

}  // namespace ringpost::sink
