#include "load/text_template.h"

#include "base/ulid.h"
#include "cli/text.h"
#include "http/syntax.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace ringpost::load {
namespace {

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  while (true) {
    const size_t begin = text.find_first_not_of(' ');
    if (begin == std::string_view::npos) return words;
    text.remove_prefix(begin);
    const size_t end = std::min(text.find(' '), text.size());
    words.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

void append_number(std::string& out, uint64_t number) {
  out += std::to_string(number);
}

}  // namespace

cli::Usable<TextTemplate::Part> TextTemplate::compile_placeholder(std::string_view text) {
  auto words = words_of(text);
  const std::string name = words.empty() ? "" : words.front();
  const size_t parameters = words.empty() ? 0 : words.size() - 1;
  const auto number = [&words](size_t index) { return http::parse_decimal(words[index]); };
  Part part;
  if (name == "counter" && parameters <= 1) {
    part.kind = Kind::counter;
    const auto first = parameters == 1 ? number(1) : 0;
    if (first) {
      part.low = *first;
      return part;
    }
  } else if (name == "random" && parameters == 0) {
    part.kind = Kind::random;
    part.high = std::numeric_limits<uint32_t>::max();
    return part;
  } else if (name == "random" && parameters == 2) {
    part.kind = Kind::random;
    const auto low = number(1);
    const auto high = number(2);
    if (low && high && *low <= *high && *high < std::numeric_limits<uint64_t>::max()) {
      part.low = *low;
      part.high = *high;
      return part;
    }
  } else if (name == "choice" && parameters > 0) {
    part.kind = Kind::choice;
    words.erase(words.begin());
    part.words = std::move(words);
    return part;
  } else if (parameters == 0) {
    for (const auto& [known, kind] : {std::pair{"timestamp", Kind::timestamp},
                                      {"timestamp_ms", Kind::timestamp_ms},
                                      {"uuid", Kind::uuid}}) {
      if (name != known) continue;
      part.kind = kind;
      return part;
    }
  }
  return cli::UsageProblem{"the placeholder {{" + cli::shown(text) +
                           "}} must be {{counter}}, {{counter FIRST}}, {{random}}, {{random LOW "
                           "HIGH}}, {{choice WORD...}}, {{timestamp}}, {{timestamp_ms}} or "
                           "{{uuid}}"};
}

cli::Usable<TextTemplate> TextTemplate::compile(std::string_view text) {
  TextTemplate made;
  std::string* fixed = &made.beginning_;
  while (true) {
    const size_t begin = text.find("{{");
    const size_t end = begin == std::string_view::npos ? begin : text.find("}}", begin);
    if (end == std::string_view::npos) {
      fixed->append(text);
      return made;
    }
    fixed->append(text.substr(0, begin));
    auto part = compile_placeholder(text.substr(begin + 2, end - begin - 2));
    if (auto* problem = std::get_if<cli::UsageProblem>(&part)) return std::move(*problem);
    made.parts_.push_back(std::get<Part>(std::move(part)));
    fixed = &made.parts_.back().text;
    text.remove_prefix(end + 2);
  }
}

void TextTemplate::append_part(const Part& part, std::string& out, const Values& values) {
  switch (part.kind) {
    case Kind::counter: return append_number(out, part.low + values.counter);
    case Kind::random: return append_number(out, values.random.between(part.low, part.high));
    case Kind::choice: out += part.words[values.random.below(part.words.size())]; return;
    case Kind::timestamp: out += to_rfc3339(values.now); return;
    case Kind::timestamp_ms:
      return append_number(out, static_cast<uint64_t>(to_unix_ns(values.now) / 1'000'000));
    case Kind::uuid: out += Ulid::mint(values.now, values.random).to_uuid_text(); return;
  }
}

void TextTemplate::append_to(std::string& out, const Values& values) const {
  out += beginning_;
  for (const Part& part : parts_) {
    append_part(part, out, values);
    out += part.text;
  }
}

std::string TextTemplate::filled(const Values& values) const {
  std::string text;
  append_to(text, values);
  return text;
}

}  // namespace ringpost::load
