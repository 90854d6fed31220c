#pragma once

#include "control/api/api.h"

#include <string_view>

namespace ringpost::control {

/// The OpenAPI 3.1 document of the native API and of every dialect's, as compact JSON: put together
/// at build time by merge_openapi.py.
std::string_view openapi_document();

/// `GET /v1/openapi.json`, open to anybody: the document tells what this version can do, and
/// nothing about this relay. 304 if the client has it (If-None-Match; RFC 9110, 13.1.2).
Answer show_openapi(const Call& call);

}  // namespace ringpost::control
