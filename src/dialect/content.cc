#include "dialect/content.h"

#include "crypto/base64.h"
#include "http/syntax.h"
#include "json/document.h"
#include "json/fault.h"
#include "json/text.h"

#include <simdjson.h>

namespace ringpost::dialect {
namespace {

bool is_text_type(std::string_view content_type) {
  constexpr std::string_view prefix = "text/";
  return content_type.size() > prefix.size() && http::begins_ignoring_case(content_type, prefix);
}

/// JSON has no empty text, so what is empty and not JSON's is data only if it is there at all.
bool has_empty_data(const journal::EventView& event) {
  return event.data.empty() && event.data.data() != nullptr && !event.data_content_type.empty() &&
         !json::declares_json(event.data_content_type);
}

}  // namespace

bool data_is_json(const journal::EventView& event) {
  if (event.data_checked && json::declares_json(event.data_content_type)) {
    return !event.data.empty();
  }
  return !json::find_fault(as_text(event.data), json::Document::depth_max);
}

bool data_is_object(const journal::EventView& event) {
  const std::string_view data = as_text(event.data);
  const size_t begin = data.find_first_not_of(" \t\r\n");
  return begin != std::string_view::npos && data[begin] == '{' && data_is_json(event);
}

Content content_of(const journal::EventView& event) {
  if (event.data.empty() && !has_empty_data(event)) return Content::none;
  if (json::declares_json(event.data_content_type)) {
    return data_is_json(event) ? Content::json : Content::bytes;
  }
  const bool text =
      is_text_type(event.data_content_type) && simdjson::validate_utf8(as_text(event.data));
  return text ? Content::text : Content::bytes;
}

std::string_view content_type_of(const journal::EventView& event) {
  if (event.data.empty() && !has_empty_data(event)) return {};
  const std::string_view declared = event.data_content_type;
  if (json::declares_json(declared) && !data_is_json(event)) return "application/octet-stream";
  return declared.empty() ? "application/json" : declared;
}

void write_cloudevents_data(std::string& out, JsonWriter& json, const journal::EventView& event,
                            Content content) {
  // Absent it means JSON.
  if (content == Content::bytes) {
    json.member("datacontenttype", content_type_of(event));
  } else if (!event.data_content_type.empty()) {
    json.member("datacontenttype", event.data_content_type);
  }
  switch (content) {
    case Content::none: return;
    case Content::json: json.key("data").raw(as_text(event.data)); return;
    case Content::text: json.member("data", as_text(event.data)); return;
    case Content::bytes:
      json.key("data_base64").raw("\"");
      crypto::append_base64(out, event.data);
      out += '"';
      return;
  }
}

}  // namespace ringpost::dialect
