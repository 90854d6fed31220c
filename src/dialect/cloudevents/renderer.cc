#include "dialect/cloudevents/renderer.h"

#include "api/json_body.h"
#include "dialect/cloudevents/attributes.h"
#include "dialect/content.h"
#include "dialect/head.h"
#include "http/syntax.h"

namespace ringpost::dialect::cloudevents {
namespace {

using journal::EventView;
using subscription::Webhook;

constexpr std::string_view media_type = "application/cloudevents+json; charset=utf-8";

/// Of each thread that renders, for its memory.
AttributeWalk& attribute_walk() {
  thread_local AttributeWalk walk;
  return walk;
}

class CloudEventsRenderer final : public Renderer {
 public:
  CloudEventsRenderer(const Webhook& webhook, const Settings& settings)
      : settings_(settings), rate_per_minute_(uint64_t{webhook.rate_per_second} * 60) {
    Webhook sender = webhook;
    if (!webhook.secret.empty()) {
      std::erase_if(sender.headers, [](const auto& header) {
        return http::equal_ignoring_case(header.first, "authorization");
      });
      sender.headers.emplace_back("Authorization", "Bearer " + webhook.secret);
    }
    fixed_ = fixed_part(sender);
    if (settings_.handshake) question_ = fixed_part(sender, "OPTIONS");
  }

  std::optional<Error> render(const AttemptFacts& facts, Request& request) override {
    request.head.assign(fixed_);
    if (settings_.handshake && !facts.origin.empty()) {
      append_header(request.head, "WebHook-Request-Origin", facts.origin);
    }
    append_delivery(request.head, facts);
    if (settings_.mode == Settings::Mode::binary) {
      render_binary(facts, request);
    } else {
      render_structured(facts, content_of(facts.event), request);
    }
    if (request.head.size() <= head_bytes_max) return std::nullopt;
    request.clear();
    return Error{Errc::not_renderable, Side::producer,
                 static_cast<int32_t>(Unrenderable::head_bytes)};
  }

  void render_question(std::string_view origin, std::string& head) const override {
    head.assign(question_);
    append_header(head, "WebHook-Request-Origin", origin);
    if (rate_per_minute_ > 0) append_header(head, "WebHook-Request-Rate", rate_per_minute_);
    head.append("\r\n");
  }

 private:
  static void render_structured(const AttemptFacts& facts, Content content, Request& request) {
    std::string& body = request.made_body;
    const EventView& event = facts.event;
    JsonWriter json{body};
    json.begin_object();
    attribute_walk()(event, [&](std::string_view name, std::string_view text, bool is_string) {
      json.key(name);
      if (is_string) {
        json.value(text);
      } else {
        json.raw(text);
      }
    });
    write_cloudevents_data(body, json, event, content);
    json.end_object();
    request.send_made_body();
    finish_bare(request, facts, media_type);
  }

  static void render_binary(const AttemptFacts& facts, Request& request) {
    std::string& head = request.head;
    attribute_walk()(facts.event, [&](std::string_view name, std::string_view text, bool) {
      head.append("ce-").append(name).append(": ");
      append_header_value(head, text);
      head.append("\r\n");
    });
    request.body = facts.event.data;
    finish_bare(request, facts, content_type_of(facts.event));
  }

  const Settings settings_;
  const uint64_t rate_per_minute_;
  std::string fixed_;
  std::string question_;
};

}  // namespace

Settings Settings::of(const Webhook& webhook) {
  Settings settings;
  if (!webhook.settings.empty()) settings.merge(webhook.settings);
  return settings;
}

std::optional<api::Problem> Settings::merge(std::string_view json) {
  api::JsonBody body;
  if (auto problem = body.parse(json)) return problem;
  for (const auto [name, value] : body.root()) {
    const std::string place = "settings." + std::string{name};
    if (name == "mode") {
      std::string text = "structured";
      if (!value.is_null()) {
        if (auto problem = api::read(value, place, 16, text)) return problem;
      }
      if (text != "structured" && text != "binary") {
        return api::invalid(place, "must be \"structured\" or \"binary\"");
      }
      mode = text == "binary" ? Mode::binary : Mode::structured;
    } else if (name == "handshake") {
      handshake = true;
      if (value.is_null()) continue;
      if (auto problem = api::read(value, place, handshake)) return problem;
    } else {
      return api::invalid(place,
                          "is not a setting of this dialect; it has \"mode\" and \"handshake\"");
    }
  }
  return std::nullopt;
}

void Settings::write(JsonWriter& json) const {
  json.begin_object()
      .member("mode", mode == Mode::binary ? "binary" : "structured")
      .member("handshake", handshake)
      .end_object();
}

std::unique_ptr<Renderer> make_renderer(const Webhook& webhook) {
  return std::make_unique<CloudEventsRenderer>(webhook, Settings::of(webhook));
}

}  // namespace ringpost::dialect::cloudevents
