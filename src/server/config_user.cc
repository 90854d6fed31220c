#include "server/config_user.h"

#include "subscription/token.h"

#include <algorithm>

namespace ringpost::server {
namespace {

constexpr size_t email_bytes_max = 254;  // RFC 5321, 4.5.3.1.3, without the angle brackets.

/// Why an address cannot name a user; empty if it can. No post is sent: it only has to be one name.
std::string_view object_to_email(std::string_view email) {
  if (email.size() > email_bytes_max) return "is longer than 254 bytes";
  const bool printable = std::ranges::all_of(email, [](char c) { return c > ' ' && c < 0x7f; });
  const size_t at = email.find('@');
  const bool has_parts = at != 0 && at != std::string_view::npos && at + 1 < email.size();
  if (!printable || !has_parts || std::ranges::count(email, '@') != 1) {
    return "must have the form \"name@example.org\", in ASCII and without spaces";
  }
  return {};
}

bool same_email(std::string_view left, std::string_view right) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(left, right, {}, lower, lower);
}

uint8_t scopes_of(std::initializer_list<subscription::Scope> scopes) {
  uint8_t bits = 0;
  for (const subscription::Scope scope : scopes) bits |= static_cast<uint8_t>(scope);
  return bits;
}

void read_scopes(Section& section, const toml::table& table, uint8_t& scopes) {
  using enum subscription::Scope;
  const toml::node* written = table.get("scopes");
  if (written == nullptr) {
    scopes = scopes_of(
        {events_write, webhooks_read, webhooks_write, deliveries_read, deliveries_redeliver});
  } else if (written->is_array() && written->as_array()->empty()) {
    section.problem(
        *written, "scopes must name at least one; leave it out for all but metrics:read and admin");
  }
  section.texts("scopes", [&](const std::string& text, const toml::node& node) {
    if (const auto scope = subscription::parse_scope(text)) {
      scopes |= static_cast<uint8_t>(*scope);
      return;
    }
    std::string known;
    for (const subscription::Scope scope : subscription::all_scopes) {
      known += (known.empty() ? "" : ", ") + std::string(name(scope));
    }
    section.problem(node, "scopes: \"" + text + "\" is unknown; known: " + known);
  });
}

}  // namespace

void read_user(const toml::table& table, Config& config, Problems& problems) {
  Section section(&table, "user", problems);
  UserConfig user;
  if (const toml::node* node = section.text("email", user.email)) {
    const auto same = [&](const UserConfig& other) { return same_email(other.email, user.email); };
    if (const auto objection = object_to_email(user.email); !objection.empty()) {
      section.problem(*node, "email " + std::string(objection));
    } else if (std::ranges::any_of(config.users, same)) {
      section.problem(*node, "email \"" + user.email + "\" is used by another user, too");
    }
  } else if (table.get("email") == nullptr) {
    problems.add(table.source(), "[[user]] needs an email");
  }
  std::string text;
  if (const toml::node* node = section.text("password", text)) {
    std::string why;  // The text itself is never told: it may be the password.
    auto password = crypto::PasswordHash::parse(text, why);
    if (password) {
      user.password = std::move(*password);
    } else {
      section.problem(*node, "password is not what `ringpost hash-password` prints: " + why);
    }
  } else if (table.get("password") == nullptr) {
    problems.add(table.source(), "[[user]] needs a password: `ringpost hash-password` makes it");
  }
  if (const toml::node* node = section.text("organization", user.organization)) {
    const auto objection = subscription::object_to_organization(user.organization);
    if (!objection.empty()) section.problem(*node, "organization " + std::string(objection));
  }
  read_scopes(section, table, user.scopes);
  section.finish();
  config.users.push_back(std::move(user));
}

}  // namespace ringpost::server
