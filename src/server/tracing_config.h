#pragma once

#include "http/message.h"
#include "http/url.h"

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace ringpost::server {

// What the values of [tracing] mean. Of a problem the text is what follows the value, or the key.

/// A collector's URL; without a path it gets that of OTLP.
std::variant<http::Url, std::string> parse_collector_url(std::string_view text);

/// `Name: value` lines, of headers that a collector wants; empty ones and those that begin with `#`
/// are passed over. A problem names a line by its number: the values are secret.
std::variant<std::vector<http::Header>, std::string> parse_collector_headers(std::string_view text);

/// `key=value`, an attribute of the resource.
std::variant<std::pair<std::string, std::string>, std::string> parse_resource_attribute(
    std::string_view text);

}  // namespace ringpost::server
