#pragma once

#include "dialect/devopness/devopness.h"
#include "dialect/devopness/hook.h"
#include "dialect/devopness/hook_reader.h"
#include "dialect/dialect.h"
#include "subscription/webhook.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

// Hooks and actions for the tests of the Devopness dialect.

namespace ringpost::dialect::devopness {

/// The specification's example of an outgoing hook, as a create request.
inline constexpr std::string_view note_hook = R"({
  "name": "note on the pull request", "target_url":
  "https://git.example.org/repos/acme/shop/issues/{{ action.triggered_from.hook_parsed_variables.pull_request_id }}/comments",
  "action_type": "deploy", "project_id": 11, "environment_id": 22, "resource_type": "application", "resource_id": 44,
  "settings": {
    "request_headers": [{"name": "Authorization", "value": "Bearer {{ application.source_provider.access_token }}"}],
    "request_body": {"body": "{{ application.name }} is {{ action.status }}"}
  },
  "trigger_when": {"events": ["action.status_changed"], "conditions": []}})";

/// What a scheduler says of a deployment, with everything that the example names.
inline std::string action(std::string_view status = "in-progress", std::string_view more = "") {
  return R"({"action":{"id":8801,"pipeline_id":33,"type":"deploy","status":")" +
         std::string{status} +
         R"(","resource":{"id":44,"type":"application"},)"
         R"("action_data":{"deployment":{"source_type":"branch","source_ref":"feature/login"}},)"
         R"("triggered_from":{"hook_parsed_variables":{"pull_request_id":57,"pipeline_id":123,)"
         R"("pull_request_title":"Say \"hi\" & <b>"}}},)"
         R"("application":{"id":44,"name":"shop","repository":"acme/shop","project":{"name":"p"},)"
         R"("source_provider":{"name":"git","access_token":"glpat-secret"}},)"
         R"("user":{"id":1,"name":"Ada"},"deployment":{"source":{"pull_request_id":57}})" +
         std::string{more} + "}";
}

/// A webhook of the hook that `json`, in the layout of the API, describes.
inline subscription::Webhook webhook_of(std::string_view json, bool incoming = false) {
  subscription::Webhook webhook = dialect().defaults();
  webhook.number = 7;
  webhook.id = *Ulid::parse_uuid("018f6b1e-5555-4abc-8def-000000000005");
  webhook.description = "note on the pull request";
  webhook.secret = "devo-demo-secret";
  webhook.created_at = webhook.updated_at = *parse_rfc3339("2031-05-04T09:08:07Z");
  Hook hook;
  hook.incoming = incoming;
  if (const auto problem = read_hook(json, Layout::api, hook)) {
    ADD_FAILURE() << problem->member << ' ' << problem->detail;
  }
  if (!hook.pipeline_id) hook.pipeline_id = 33;
  if (const auto problem = apply(hook, Layout::api, webhook)) {
    ADD_FAILURE() << problem->member << ' ' << problem->detail;
  }
  return webhook;
}

}  // namespace ringpost::dialect::devopness
