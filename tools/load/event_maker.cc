#include "load/event_maker.h"

#include "base/json_writer.h"
#include "cli/text.h"
#include "http/syntax.h"
#include "json/document.h"

#include <algorithm>
#include <charconv>

namespace ringpost::load {
namespace {

constexpr std::string_view mark_begins = "\"ringpost_load\":{\"run\":\"";
constexpr std::string_view mark_number = "\",\"event\":";
constexpr std::string_view padding_begins = ",\"padding\":\"";
constexpr std::string_view action_begins = ",\"action\":{\"id\":";
constexpr std::string_view action_goes_on = ",\"type\":\"deploy\",\"status\":\"completed\"";

void append_mark(std::string& out, std::string_view run, uint64_t number) {
  out.append(mark_begins).append(run).append(mark_number).append(std::to_string(number));
  out += '}';
}

/// The object `data` with the mark as its first member.
void append_marked(std::string& out, std::string_view data, std::string_view run, uint64_t number) {
  const size_t members = data.find_first_not_of(" \t\r\n", data.find('{') + 1);
  out += '{';
  append_mark(out, run, number);
  if (data[members] != '}') out += ',';
  out += data.substr(members);
}

std::string made_id(std::string_view run, uint64_t number) {
  return std::string{run} + "-" + std::to_string(number);
}

/// `text` with what `piece`, a part of it, says replaced.
std::string replaced(std::string_view text, std::string_view piece, std::string_view by) {
  const auto at = static_cast<size_t>(piece.data() - text.data());
  return std::string{text.substr(0, at)}.append(by).append(text.substr(at + piece.size()));
}

}  // namespace

void Mix::add(TextTemplate text, uint64_t weight) {
  const uint64_t before = entries_.empty() ? 0 : entries_.back().up_to;
  entries_.push_back({before + weight, texts_.size()});
  texts_.push_back(std::move(text));
}

const TextTemplate& Mix::pick(Prng& random) const {
  if (texts_.size() == 1) return texts_.front();
  const uint64_t at = random.below(entries_.back().up_to);
  const auto found =
      std::ranges::upper_bound(entries_, at, {}, [](const Entry& entry) { return entry.up_to; });
  return texts_[found->index];
}

std::string add_to_mix(Mix& mix, std::string_view text) {
  uint64_t weight = 1;
  if (const size_t colon = text.find(':'); colon != std::string_view::npos) {
    const std::string_view before = text.substr(0, colon);
    if (colon > 0 && before.find_first_not_of("+-0123456789") == std::string_view::npos) {
      const auto number = http::parse_decimal(before);
      if (!number || *number == 0 || *number > 1'000'000) {
        return cli::shown(text) + " must have a whole number from 1 to 1,000,000 before the colon";
      }
      weight = *number;
      text.remove_prefix(colon + 1);
    }
  }
  const auto is_control = [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; };
  if (std::ranges::any_of(text, is_control)) {
    return cli::shown(text) + " must not contain a control character";
  }
  if (text.empty()) return "a name must not be empty";
  auto compiled = TextTemplate::compile(text);
  if (const auto* problem = std::get_if<cli::UsageProblem>(&compiled)) return problem->text;
  mix.add(std::get<TextTemplate>(std::move(compiled)), weight);
  return "";
}

EventMaker::EventMaker(EventForm form) : form_(std::move(form)), random_(form_.seed) {}

const std::string& EventMaker::next_type(uint64_t number, WallTime now) {
  type_.clear();
  form_.types.pick(random_).append_to(type_, {number, now, random_});
  return type_;
}

const std::string& EventMaker::next_source(uint64_t number, WallTime now) {
  source_.clear();
  form_.sources.pick(random_).append_to(source_, {number, now, random_});
  return source_;
}

void EventMaker::append_event(std::string& out, uint64_t number, WallTime now) {
  JsonWriter json{out};
  json.begin_object();
  if (form_.ids) json.member("id", made_id(form_.run, number));
  json.member("type", next_type(number, now)).member("source", next_source(number, now));
  if (form_.keys > 0) json.member("orderingkey", "key-" + std::to_string(number % form_.keys));
  json.key("data");
  append_data(out, number, now);
  out += '}';
}

void EventMaker::append_data(std::string& out, uint64_t number, WallTime now) {
  if (!form_.data) return append_padded(out, number);
  if (!form_.marked) return form_.data->append_to(out, {number, now, random_});
  scratch_.clear();
  form_.data->append_to(scratch_, {number, now, random_});
  append_marked(out, scratch_, form_.run, number);
}

void EventMaker::append_padded(std::string& out, uint64_t number) {
  const size_t begin = out.size();
  const uint64_t wanted = random_.between(form_.bytes_min, form_.bytes_max);
  out += '{';
  append_mark(out, form_.run, number);
  if (form_.action) {
    out.append(action_begins).append(std::to_string(number)).append(action_goes_on);
  }
  const std::string_view end = form_.action ? "}}" : "}";
  const size_t with_frame = out.size() - begin + padding_begins.size() + 1 + end.size();
  if (wanted >= with_frame) {
    out.append(padding_begins).append(wanted - with_frame, 'x').append("\"");
  }
  out += end;
}

std::optional<uint64_t> marked_number(std::string_view body, std::string_view run) {
  size_t at = body.find(mark_begins);
  if (at == std::string_view::npos) return std::nullopt;
  body.remove_prefix(at + mark_begins.size());
  if (!body.starts_with(run)) return std::nullopt;
  body.remove_prefix(run.size());
  if (!body.starts_with(mark_number)) return std::nullopt;
  body.remove_prefix(mark_number.size());
  uint64_t number = 0;
  const auto [end, fault] = std::from_chars(body.data(), body.data() + body.size(), number);
  if (fault != std::errc{} || end == body.data()) return std::nullopt;
  return number;
}

std::optional<std::string> with_mark(std::string_view event, std::string_view run,
                                     uint64_t number) {
  static const json::Path path = json::Path::constant("data");
  json::Document document;
  document.assign(event);
  const std::string_view data = document.spelled(path);
  if (!data.starts_with('{')) return std::nullopt;
  std::string marked;
  append_marked(marked, data, run, number);
  return replaced(event, data, marked);
}

std::string with_new_id(std::string_view event, std::string_view run, uint64_t number) {
  static const json::Path path = json::Path::constant("id");
  json::Document document;
  document.assign(event);
  if (document.scalar(path).kind != json::Kind::string) return std::string{event};
  const std::string_view id = document.spelled(path);
  const std::string made = made_id(run, number);
  return replaced(event, id, id.starts_with('"') ? '"' + made + '"' : made);
}

}  // namespace ringpost::load
