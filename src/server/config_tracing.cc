#include "server/config_tracing.h"

#include "server/tracing_config.h"

#include <chrono>
#include <string>
#include <variant>

namespace ringpost::server {
namespace {

void read_tracing_endpoint(Section& section, Config& config) {
  const toml::node* node = section.text("endpoint", config.tracing_endpoint);
  if (node == nullptr || config.tracing_endpoint.empty()) return;
  const std::string shown = "endpoint = \"" + config.tracing_endpoint + "\" ";
  const auto parsed = parse_collector_url(config.tracing_endpoint);
  if (const auto* problem = std::get_if<std::string>(&parsed)) {
    return section.problem(*node, shown + *problem);
  }
  const auto& url = std::get<http::Url>(parsed);
  if (!url.tls && !config.tracing_plain_http && !is_loopback(url)) {
    section.problem(*node, shown +
                               "is not https: the names and addresses in the spans would be "
                               "readable on the way; use https, or say allow_plain_http = true");
  }
}

void read_tracing_headers(Section& section, Config& config) {
  const toml::node* node =
      section.named_file("headers_file", config.tracing_headers_file, config.tracing_headers);
  if (node == nullptr) return;
  const auto parsed = parse_collector_headers(config.tracing_headers);
  if (const auto* problem = std::get_if<std::string>(&parsed)) {
    section.problem(*node, "headers_file: " + config.tracing_headers_file + ": " + *problem);
  }
}

void read_tracing_attributes(Section& section, Config& config) {
  section.texts("attributes", [&](const std::string& text, const toml::node& node) {
    const auto parsed = parse_resource_attribute(text);
    if (const auto* problem = std::get_if<std::string>(&parsed)) {
      return section.problem(node, "attributes: \"" + text + "\" " + *problem);
    }
    config.tracing_attributes.push_back(text);
  });
}

}  // namespace

void read_tracing(Section section, Config& config) {
  section.boolean("allow_plain_http", config.tracing_plain_http);
  read_tracing_endpoint(section, config);
  section.number("sample_ratio", config.tracing_sample_ratio, 0, 1);
  read_tracing_headers(section, config);
  section.ca_file(config.tracing_ca_file, config.tracing_ca_pem);
  section.client_certificate({config.tracing_certificate_file, config.tracing_certificate_pem,
                              config.tracing_key_file, config.tracing_key_pem});
  section.duration("timeout", config.tracing_timeout, std::chrono::milliseconds{100},
                   std::chrono::minutes{1});
  const toml::node* name = section.text("service_name", config.tracing_service_name);
  if (name != nullptr && config.tracing_service_name.empty()) {
    section.problem(*name, "service_name must not be empty");
  }
  read_tracing_attributes(section, config);
  section.finish();
}

}  // namespace ringpost::server
