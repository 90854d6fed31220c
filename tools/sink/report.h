#pragma once

#include <string>

namespace ringpost::sink {

class Receiver;

/// What was received, as a table for people.
std::string report_table(const Receiver& receiver);
/// The same and more, for programs: one line of JSON without its end. tools/sink/README.md has
/// every member.
std::string report_json(const Receiver& receiver);

}  // namespace ringpost::sink
