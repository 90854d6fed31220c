#pragma once

#include "api/answer.h"
#include "api/call.h"
#include "api/management.h"
#include "api/problem.h"
#include "api/route.h"
#include "http/message.h"
#include "subscription/webhook.h"

#include <span>
#include <string_view>

// The API under /v0.1/apps/{app-slug}/outgoing-webhooks.

namespace ringpost::dialect::bitrise {

std::span<const api::Route> routes();

/// Bitrise's shape, `{"message": …}`, with one of the statuses that its documentation names: what
/// is wrong with a request is 400, a token that may not do it hides what it asked for (404), and
/// what fails on our side is 500. Only what concerns any HTTP request keeps its own status: the
/// wrong method, too large, too slow, too many.
http::Response refuse(const api::Problem& problem);

api::Answer handle(const api::Route& route, const api::Call& call, api::Management& management);

/// The slug of the one app that a webhook belongs to; empty if it has another kind of source, or
/// several: it is then in no app's list.
std::string_view app_of(const subscription::Webhook& webhook);

/// Whether a text can name an app, a webhook or a delivery: 1 to 64 of `[A-Za-z0-9_-]`.
bool is_slug(std::string_view text);

}  // namespace ringpost::dialect::bitrise
