#pragma once

#include <simdjson.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::http {

/// One row of table.json, whose `about` explains the members.
struct AnswerRow {
  std::string name;
  std::string bytes;
  std::string end;
  uint16_t status = 0;
  std::string body;
  bool success = false;
  bool kept = false;
  std::string note;  ///< Empty: none.
};

inline std::string answer_bytes(simdjson::dom::element pieces) {
  if (pieces.is_string()) return std::string{std::string_view{pieces}};
  std::string bytes;
  std::string_view last;
  for (const simdjson::dom::element piece : pieces.get_array()) {
    if (piece.is_string()) {
      last = std::string_view{piece};
      bytes += last;
    } else {
      for (int64_t times = 1; times < int64_t{piece}; ++times) bytes += last;
    }
  }
  return bytes;
}

/// What a receiver may answer, read from table.json (ANSWER_TABLE, from the build). Throws if it
/// cannot be read: it is ours.
inline std::vector<AnswerRow> answer_table() {
  simdjson::dom::parser parser;
  std::vector<AnswerRow> rows;
  for (const simdjson::dom::element row : parser.load(ANSWER_TABLE)["answers"].get_array()) {
    std::string_view note;
    if (row["note"].get(note) != simdjson::SUCCESS) note = {};
    rows.push_back({.name = std::string{std::string_view{row["name"]}},
                    .bytes = answer_bytes(row["bytes"]),
                    .end = std::string{std::string_view{row["end"]}},
                    .status = static_cast<uint16_t>(uint64_t{row["status"]}),
                    .body = std::string{std::string_view{row["body"]}},
                    .success = bool{row["success"]},
                    .kept = bool{row["kept"]},
                    .note = std::string{note}});
  }
  return rows;
}

}  // namespace ringpost::http
