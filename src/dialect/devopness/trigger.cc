#include "dialect/devopness/trigger.h"

#include "api/logged_head.h"
#include "crypto/digest.h"
#include "crypto/hex.h"
#include "crypto/hmac.h"
#include "dialect/devopness/answers.h"
#include "dialect/devopness/compiled_hook.h"
#include "dialect/devopness/hook.h"
#include "dialect/devopness/hook_subject.h"
#include "dialect/devopness/hook_writer.h"
#include "dialect/devopness/request_log.h"
#include "dialect/renderer.h"
#include "http/form.h"
#include "http/syntax.h"
#include "json/fault.h"

#include <optional>
#include <string>
#include <utility>

namespace ringpost::dialect::devopness {
namespace {

using api::Answer;
using api::Call;
using api::Management;
using subscription::Webhook;

constexpr std::string_view triggered_message = "Hook successfully triggered";
constexpr std::string_view not_met_message = "Hook conditions not met";

Answer no_such_hook() {
  return refuse(api::refusal(404, "there is no such hook"));
}

/// One call of a hook that is there and takes calls.
class Trigger {
 public:
  Trigger(const Call& call, Management& management, const Webhook& webhook, Hook hook)
      : call_(call),
        management_(management),
        webhook_(webhook),
        hook_(std::move(hook)),
        source_(source_of(hook_)),
        // Both ids are known before the event is stored: the event names its own log entry.
        uid_(Ulid::mint(call.now, management.random())),
        request_id_(journal::delivery_id(uid_, webhook.number)) {}

  Answer run();

 private:
  bool authentic() const;
  bool is_ping() const;
  std::variant<bool, api::Problem> conditions_hold();
  Answer accept(const std::string& variables);
  Answer decline();
  journal::EventView event(std::string_view type, const std::string& data) const;
  void write_hook_reference(JsonWriter& json) const;
  void write_action(JsonWriter& json, uint64_t action, const std::string& variables) const;
  void write_resource(JsonWriter& json) const;
  void write_call(JsonWriter& json, std::string_view message) const;
  std::string peer() const;

  const Call& call_;
  Management& management_;
  const Webhook& webhook_;
  const Hook hook_;
  const std::string source_;  ///< Not the webhook's, which the native API may make a pattern.
  const Ulid uid_;
  const Ulid request_id_;
  std::string json_;  ///< Of the body: it, or a field of it if it is a form, as GitHub can send it.
  json::Document body_;
};

Answer Trigger::run() {
  if (!authentic()) {
    return refuse(api::refusal(403, "the signature is missing or wrong", hook_.secret_header_name));
  }
  if (http::is_form(call_.request)) {
    auto payload = http::form_field(call_.request.body, "payload");
    if (!payload) {
      return refuse(api::refusal(422, "the form must have the field payload once", "payload"));
    }
    json_ = std::move(*payload);
  } else {
    json_ = call_.request.body;
  }
  const std::string& text = json_;
  body_.assign(text.empty() ? std::string_view{"{}"} : std::string_view{text});
  const json::Kind kind = body_.root().kind;
  if (kind != json::Kind::object && kind != json::Kind::array) {
    const auto fault = json::find_fault(text, json::Document::depth_max);
    const std::string place = fault ? ": " + json::describe(*fault, text) : "";
    return refuse(api::refusal(422, "the body must be a JSON object or array" + place));
  }
  const auto holds = conditions_hold();
  if (const auto* problem = std::get_if<api::Problem>(&holds)) return refuse(*problem);
  if (is_ping() || !std::get<bool>(holds)) return decline();
  const auto variables = read_variables(hook_.variables, body_);
  if (const auto* problem = std::get_if<api::Problem>(&variables)) return refuse(*problem);
  return accept(std::get<std::string>(variables));
}

bool Trigger::authentic() const {
  if (!hook_.requires_secret) return true;
  return signed_by(webhook_, call_.request.header(hook_.secret_header_name),
                   as_bytes(call_.request.body), call_.now);
}

/// GitHub's, when a webhook is made there: nothing has happened that an action should follow.
bool Trigger::is_ping() const {
  return call_.request.header("X-GitHub-Event") == "ping";
}

std::variant<bool, api::Problem> Trigger::conditions_hold() {
  auto compiled = compile_conditions(hook_);
  if (auto* problem = std::get_if<api::Problem>(&compiled)) return std::move(*problem);
  return std::get<Conditions>(compiled).hold(body_);
}

std::string Trigger::peer() const {
  if (call_.peer == nullptr || call_.peer->family == io::Address::Family::unix_path) return {};
  std::string text = call_.peer->to_text();
  text.resize(text.rfind(':'));
  return text.starts_with('[') ? text.substr(1, text.size() - 2) : text;
}

void Trigger::write_hook_reference(JsonWriter& json) const {
  json.key("hook")
      .begin_object()
      .member("id", webhook_.id.to_uuid_text())
      .member("name", webhook_.description)
      .end_object();
}

void Trigger::write_resource(JsonWriter& json) const {
  json.key("resource");
  if (hook_.resource_type.empty()) {
    json.null();
    return;
  }
  json.begin_object()
      .member("id", hook_.resource_id)
      .member("type", hook_.resource_type)
      .end_object();
}

void Trigger::write_action(JsonWriter& json, uint64_t action, const std::string& variables) const {
  json.key("action").begin_object().member("id", action).key("type");
  if (hook_.action_type.empty()) {
    json.null();
  } else {
    json.value(hook_.action_type);
  }
  json.key("pipeline_id");
  if (hook_.pipeline_id) {
    json.value(*hook_.pipeline_id);
  } else {
    json.null();
  }
  write_resource(json);
  json.member("status", "pending")
      .key("triggered_from")
      .begin_object()
      .member("trigger_type", "hook")
      .member("hook_id", webhook_.id.to_uuid_text())
      .member("hook_request_id", request_id_.to_uuid_text())
      .key("hook_parsed_variables")
      .raw(variables)
      .member("ip_address", peer())
      .end_object()
      .end_object();
}

/// What the log shows of the call.
void Trigger::write_call(JsonWriter& json, std::string_view message) const {
  const http::Request& request = call_.request;
  std::string head = request.method + ' ' + request.target + " HTTP/1.1\r\n";
  for (const http::Header& header : request.headers) {
    head.append(header.name).append(": ").append(header.value).append("\r\n");
  }
  const std::string masked = mask_credentials(head);
  json.key("request")
      .begin_object()
      .member("ip_address", peer())
      .member("url", call_.base_url + request.target)
      .key("headers");
  api::write_headers(json, api::parse_logged_head(masked));
  json.key("body");
  write_logged_body(json, json_);
  json.end_object().key("response").begin_object().member("status", 200).key("body");
  json.raw(message_body(message)).end_object();
}

journal::EventView Trigger::event(std::string_view type, const std::string& data) const {
  journal::EventView event;
  event.uid = uid_;
  event.organization = webhook_.organization;
  event.source = source_;
  event.type = type;
  event.data_content_type = "application/json";
  event.data_checked = true;
  event.data = as_bytes(data);
  return event;
}

Answer Trigger::accept(const std::string& variables) {
  const uint64_t action = management_.mint_number();
  std::string data;
  JsonWriter json(data);
  json.begin_object();
  write_hook_reference(json);
  write_action(json, action, variables);
  write_call(json, triggered_message);
  json.end_object();
  if (auto problem = management_.accept(event(triggered_type, data), &webhook_)) {
    return refuse(*problem);
  }
  Answer answer = api::answer_json(200, message_body(triggered_message), Answer::When::stored);
  answer.response.headers.push_back({"X-Devopness-Action-Id", std::to_string(action)});
  return answer;
}

Answer Trigger::decline() {
  std::string data;
  JsonWriter json(data);
  json.begin_object();
  write_hook_reference(json);
  write_call(json, not_met_message);
  json.end_object();
  management_.notify(webhook_, event(not_triggered_type, data));
  return api::answer_json(200, message_body(not_met_message));
}

}  // namespace

bool signed_by(const Webhook& webhook, std::string_view header, Bytes body, WallTime now) {
  constexpr std::string_view scheme = "sha256=";
  if (http::begins_ignoring_case(header, scheme)) header.remove_prefix(scheme.size());
  const auto given = crypto::hex_decode(header);
  if (!given) return false;
  const auto matches = [&](std::string_view secret) {
    const auto expected = crypto::HmacSha256Key{as_bytes(secret)}.sign(body);
    return crypto::constant_time_equal(as_bytes(*given), crypto::bytes_of(expected));
  };
  if (matches(webhook.secret)) return true;
  const bool rotated = !webhook.previous_secret.empty() && now < webhook.previous_secret_until;
  return rotated && matches(webhook.previous_secret);
}

Answer trigger(const Call& call, Management& management) {
  const auto id = Ulid::parse_either(call.id());
  const Webhook* webhook = id ? management.called_webhook(*id) : nullptr;
  if (webhook == nullptr) return no_such_hook();
  Hook hook = hook_of(*webhook);
  if (!hook.incoming || !hook.takes_calls) return no_such_hook();
  return Trigger{call, management, *webhook, std::move(hook)}.run();
}

}  // namespace ringpost::dialect::devopness
