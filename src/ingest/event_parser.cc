#include "ingest/event_parser.h"

#include "http/problem.h"
#include "http/syntax.h"
#include "ingest/binary_event.h"
#include "ingest/cdevent.h"
#include "ingest/event_reader.h"
#include "json/fault.h"
#include "json/text.h"

#include <algorithm>

namespace ringpost::ingest {
namespace {

namespace json = simdjson::ondemand;
using ringpost::json::declares_json;
using ringpost::json::escapes_are_valid;
using ringpost::json::trim_end;
using Events = std::vector<journal::EventView>;

/// simdjson's working memory is about seven bytes for each byte of a document. What a big document
/// made it grow to is given back.
constexpr size_t parser_bytes_kept_max = 1024 * 1024;

/// A body of JSON is UTF-8 (RFC 8259, 8.1): `charset`, if it is there at all, may say only that.
bool charset_is_utf8(std::string_view parameters) {
  while (!parameters.empty()) {
    const size_t size = std::min(parameters.find(';'), parameters.size());
    const std::string_view parameter = http::trim(parameters.substr(0, size));
    parameters.remove_prefix(std::min(size + 1, parameters.size()));
    const size_t equals = parameter.find('=');
    if (equals == std::string_view::npos ||
        !http::equal_ignoring_case(parameter.substr(0, equals), "charset")) {
      continue;
    }
    std::string_view value = parameter.substr(equals + 1);
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
      value = value.substr(1, value.size() - 2);
    }
    if (!http::equal_ignoring_case(value, "utf-8") && !http::equal_ignoring_case(value, "us-ascii"))
      return false;
  }
  return true;
}

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

/// `text` without the white space of JSON around it.
std::string_view trim_json(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  return trim_end(text);
}

/// Only at the very end is there no place: whatever follows the root is an error.
bool at_end(json::document& document) {
  return document.current_location().error() == simdjson::OUT_OF_BOUNDS;
}

/// A body that is not JSON is refused as such (400), wherever in it an event was found wrong (422):
/// its members have no order, so the answer must not depend on theirs.
Refusal what_is_worse(Refusal&& refusal, json::document& document, uint32_t levels) {
  if (refusal.status != 422) return std::move(refusal);
  if (!document.is_alive()) return not_json(simdjson::TAPE_ERROR);  // An error was met already.
  document.rewind();
  json::value root;
  simdjson::error_code error = document.get_value().get(root);
  if (error == simdjson::SUCCESS) error = walk(root, levels);
  if (error == simdjson::SUCCESS && !at_end(document)) error = simdjson::TAPE_ERROR;
  return error == simdjson::SUCCESS ? std::move(refusal) : not_json(error);
}

/// Says where `text` is not JSON, if that is why it is refused. In a batch that is the line to
/// blame, too, wherever its event begins.
/// @param body      which `text` is a part of: places count from its front.
/// @param in_array  `text` is a batch: the line at fault is that of the place.
void locate(std::optional<Refusal>& refusal, std::string_view text, std::string_view body,
            uint32_t levels, bool in_array = false) {
  if (!refusal || !refusal->syntax) return;
  auto fault = ringpost::json::find_fault(text, levels);
  if (!fault) return;
  fault->at += static_cast<size_t>(text.data() - body.data());
  refusal->detail = "Not JSON: " + ringpost::json::describe(*fault, body) + '.';
  if (!in_array) return;
  // Wherever the event begins.
  const auto newlines = std::ranges::count(body.substr(0, fault->at), '\n');
  refusal->line = static_cast<uint32_t>(newlines) + 1;
}

std::string plural(uint32_t count, std::string_view noun) {
  return std::to_string(count) + ' ' + std::string{noun};
}

}  // namespace

std::optional<Packing> packing_of(const http::Request& request) {
  const std::string_view content_type = request.header("content-type");
  const size_t size = std::min(content_type.find(';'), content_type.size());
  const std::string_view type = http::trim(content_type.substr(0, size));
  const bool utf8 = charset_is_utf8(content_type.substr(std::min(size + 1, content_type.size())));
  // CloudEvents HTTP binding, 3: a content type of CloudEvents' own goes before the headers.
  if (http::equal_ignoring_case(type, "application/cloudevents+json")) {
    return utf8 ? std::optional{Packing::cloudevents_one} : std::nullopt;
  }
  if (http::equal_ignoring_case(type, "application/cloudevents-batch+json")) {
    return utf8 ? std::optional{Packing::cloudevents_batch} : std::nullopt;
  }
  if (request.has_header("ce-specversion")) return Packing::cloudevents_binary;
  if (http::equal_ignoring_case(type, "application/json")) {
    return utf8 ? std::optional{Packing::native_one} : std::nullopt;
  }
  if (http::equal_ignoring_case(type, "application/x-ndjson")) {
    return utf8 ? std::optional{Packing::native_lines} : std::nullopt;
  }
  return std::nullopt;
}

uint64_t body_bytes_max(std::optional<Packing> packing, const EventLimits& limits) {
  const bool batch = packing == Packing::native_lines || packing == Packing::cloudevents_batch;
  return batch ? limits.batch_bytes_max : limits.event_bytes_max;
}

uint32_t place_of(const http::Request& request, size_t index) {
  const auto packing = packing_of(request);
  if (packing == Packing::cloudevents_batch) return static_cast<uint32_t>(index) + 1;
  if (packing != Packing::native_lines) return 0;
  std::string_view body = request.body;
  for (uint32_t line = 1; !body.empty(); ++line) {
    const size_t size = std::min(body.find('\n'), body.size());
    if (!is_blank(body.substr(0, size)) && index-- == 0) return line;
    body.remove_prefix(std::min(size + 1, body.size()));
  }
  return 0;
}

struct EventParser::State {
  explicit State(const EventLimits& limits_of) : limits(limits_of) {}

  /// @param text  of `body`.
  std::optional<Refusal> parse_one(std::string_view text, std::string_view body, Form form,
                                   Events& events);
  std::optional<Refusal> parse_lines(std::string_view body, Events& events);
  std::optional<Refusal> parse_array(std::string_view body, Events& events);
  std::optional<Refusal> parse_binary(const http::Request& request, Events& events);

  /// Indexes `text` and checks its escapes. `document` borrows the parser: one at a time.
  simdjson::error_code open(std::string_view text, json::document& document);
  std::optional<Refusal> add(Events& events, EventReader& reader, json::object object);
  std::optional<Refusal> read_text(std::string_view text, Form form, Events& events);
  std::optional<Refusal> read_object(std::string_view text, Form form, json::document& document,
                                     Events& events);
  std::optional<Refusal> read_array(std::string_view body, Events& events);
  /// Why `data` is not one JSON text, if it is not.
  std::optional<Refusal> check_json(std::string_view data);

  EventLimits limits;
  std::unique_ptr<json::parser> parser = std::make_unique<json::parser>();
  TextStore texts;
  std::vector<uint32_t> lines;  ///< Of each event of a batch.
};

simdjson::error_code EventParser::State::open(std::string_view text, json::document& document) {
  if (text.starts_with(ringpost::json::byte_order_mark)) return simdjson::TAPE_ERROR;
  if (!escapes_are_valid(text)) return simdjson::STRING_ERROR;
  return parser->iterate(text, text.size() + simdjson::SIMDJSON_PADDING).get(document);
}

std::optional<Refusal> EventParser::State::add(Events& events, EventReader& reader,
                                               json::object object) {
  if (events.size() == limits.batch_events_max) {
    return Refusal{413, "More than " + plural(limits.batch_events_max, "events in a batch.")};
  }
  return reader.read(object, events.emplace_back());
}

std::optional<Refusal> EventParser::State::read_object(std::string_view text, Form form,
                                                       json::document& document, Events& events) {
  json::object object;
  if (const auto error = document.get_object().get(object)) return not_json(error);
  EventReader reader{document, form, texts};
  auto refusal = add(events, reader, object);
  if (refusal && refusal->status == 422 && form == Form::native && is_cdevent(document)) {
    events.back() = {};
    return read_cdevent(document, trim_json(text), texts, events.back());
  }
  return refusal;
}

std::optional<Refusal> EventParser::State::read_text(std::string_view text, Form form,
                                                     Events& events) {
  json::document document;
  if (const auto error = open(text, document)) return not_json(error);
  if (auto refusal = read_object(text, form, document, events)) {
    return what_is_worse(std::move(*refusal), document, json_depth_max);
  }
  if (!at_end(document)) return not_json(simdjson::TAPE_ERROR);
  return std::nullopt;
}

std::optional<Refusal> EventParser::State::parse_one(std::string_view text, std::string_view body,
                                                     Form form, Events& events) {
  if (text.size() > limits.event_bytes_max) {
    return Refusal{413, "An event of more than " + plural(limits.event_bytes_max, "bytes.")};
  }
  auto refusal = read_text(text, form, events);
  locate(refusal, text, body, json_depth_max);
  return refusal;
}

std::optional<Refusal> EventParser::State::parse_lines(std::string_view body, Events& events) {
  uint32_t line_number = 0;
  std::string_view rest = body;
  while (!rest.empty()) {
    ++line_number;
    const size_t size = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, size);
    rest.remove_prefix(std::min(size + 1, rest.size()));
    if (is_blank(line)) continue;
    if (auto refusal = parse_one(line, body, Form::native, events)) {
      refusal->line = line_number;
      return refusal;
    }
    lines.push_back(line_number);
  }
  if (events.empty()) return Refusal{400, "The batch holds no event."};
  return std::nullopt;
}

std::optional<Refusal> EventParser::State::parse_array(std::string_view body, Events& events) {
  auto refusal = read_array(body, events);
  locate(refusal, body, body, json_depth_max + 1, true);
  return refusal;
}

std::optional<Refusal> EventParser::State::read_array(std::string_view body, Events& events) {
  json::document document;
  if (const auto error = open(body, document)) return not_json(error);
  json::array array;
  if (const auto error = document.get_array().get(array)) {
    Refusal refusal = not_json(error);
    if (error == simdjson::INCORRECT_TYPE) refusal.detail = "A batch is a JSON array.";
    return refusal;
  }
  EventReader reader{document, Form::cloudevents, texts};
  uint32_t index = 0;
  for (auto element : array) {
    ++index;
    json::value value;
    if (const auto error = element.get(value)) return not_json(error);
    const char* const begin = value.raw_json_token().data();
    json::object object;
    std::optional<Refusal> refusal;
    const char* end = nullptr;
    if (const auto error = value.get_object().get(object)) {
      refusal = not_json(error);
    } else {
      refusal = add(events, reader, object);
      if (!refusal && document.current_location().get(end) == simdjson::SUCCESS &&
          static_cast<size_t>(end - begin) > limits.event_bytes_max) {
        refusal = Refusal{413, "An event of more than " + plural(limits.event_bytes_max, "bytes.")};
      }
    }
    if (refusal) {
      refusal->line = index;
      return what_is_worse(std::move(*refusal), document, json_depth_max + 1);
    }
    lines.push_back(index);
  }
  if (!at_end(document)) return not_json(simdjson::TAPE_ERROR);
  return std::nullopt;  // `[]` is a batch too, says the JSON format, 4.
}

std::optional<Refusal> EventParser::State::parse_binary(const http::Request& request,
                                                        Events& events) {
  auto& event = events.emplace_back();
  if (auto refusal = read_binary_attributes(request, texts, event)) return refusal;
  // An empty body that has a type is empty data; without one there is none.
  const bool none = request.body.empty() && event.data_content_type.empty();
  if (!none) event.data = as_bytes(std::string_view{request.body});
  if (request.body.empty() || !declares_json(event.data_content_type)) return std::nullopt;
  auto refusal = check_json(request.body);
  if (refusal && event.data_content_type.empty()) {
    event.data_content_type = unknown_content_type;
    return std::nullopt;
  }
  locate(refusal, request.body, request.body, json_depth_max);
  return refusal;
}

std::optional<Refusal> EventParser::State::check_json(std::string_view data) {
  // An array around it makes one rule of documents whose root is a scalar and of others; it is
  // never stored.
  std::string& wrapped = texts.emplace_back();
  wrapped.reserve(data.size() + 2 + simdjson::SIMDJSON_PADDING);
  wrapped.append("[").append(data).append("]");
  json::document document;
  if (const auto error = open(wrapped, document)) return not_json(error);
  json::array array;
  if (const auto error = document.get_array().get(array)) return not_json(error);
  uint32_t count = 0;
  for (auto element : array) {
    json::value value;
    if (const auto error = element.get(value)) return not_json(error);
    if (const auto error = walk(value, json_depth_max - 1)) return not_json(error);
    ++count;
  }
  if (count != 1 || !at_end(document)) return not_json(simdjson::TAPE_ERROR);
  return std::nullopt;
}

EventParser::EventParser(const EventLimits& limits) : state_(std::make_unique<State>(limits)) {}
EventParser::~EventParser() = default;

void EventParser::set_limits(const EventLimits& limits) {
  state_->limits = limits;
}

uint32_t EventParser::line_of(size_t index) const {
  return index < state_->lines.size() ? state_->lines[index] : 0;
}

std::optional<Refusal> EventParser::parse(const http::Request& request, Events& events) {
  events.clear();
  state_->texts.clear();
  state_->lines.clear();
  const std::string_view body = request.body;
  RINGPOST_ASSERT(request.body.capacity() >= body.size() + simdjson::SIMDJSON_PADDING);
  const auto packing = packing_of(request);
  if (!packing) {
    return Refusal{415,
                   http::wrong_content_type(request) +
                       " Batches come as application/x-ndjson, CloudEvents as "
                       "application/cloudevents+json or application/cloudevents-batch+json, all "
                       "of them in UTF-8.",
                   0, "Content-Type"};
  }
  if (body.size() > body_bytes_max(packing, state_->limits)) {
    return Refusal{413, "A body of more than " +
                            std::to_string(body_bytes_max(packing, state_->limits)) + " bytes."};
  }
  if (std::ranges::count_if(request.headers, [](const http::Header& header) {
        return http::equal_ignoring_case(header.name, "content-type");
      }) > 1) {
    return Refusal{400, "`Content-Type` appears more than once.", 0, "Content-Type"};
  }
  std::optional<Refusal> refusal;
  switch (*packing) {
    case Packing::native_one: refusal = state_->parse_one(body, body, Form::native, events); break;
    case Packing::native_lines: refusal = state_->parse_lines(body, events); break;
    case Packing::cloudevents_one:
      refusal = state_->parse_one(body, body, Form::cloudevents, events);
      break;
    case Packing::cloudevents_batch: refusal = state_->parse_array(body, events); break;
    case Packing::cloudevents_binary: refusal = state_->parse_binary(request, events); break;
  }
  if (state_->parser->capacity() > parser_bytes_kept_max) {
    state_->parser = std::make_unique<json::parser>();
  }
  if (refusal) events.clear();
  for (journal::EventView& event : events) event.data_checked = true;
  return refusal;
}

}  // namespace ringpost::ingest
