#pragma once

#include "subscription/token.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace ringpost::control {

/// What a request to the management API asks for.
enum class Operation : uint8_t {
  webhook_create,
  webhook_list,
  webhook_show,
  webhook_update,
  webhook_delete,
  webhook_enable,
  webhook_disable,
  webhook_rotate_secret,
  webhook_deliveries,
  delivery_show,
  delivery_redeliver,
  event_show,
  status_show,
  token_create,
  token_list,
  token_delete,
  audit_list,
};

/// One line of the table that decides who may do what (reliability A-1).
struct Route {
  Operation operation;
  std::string_view method;
  std::string_view pattern;  ///< `{id}` stands for one segment, `{rest}` for everything left.
  subscription::Scope scope;
};

struct Match {
  const Route* route = nullptr;
  std::string id;  ///< What stood for `{id}` or `{rest}`; empty if the pattern has neither.
};
struct NoSuchPath {};
struct WrongMethod {
  std::string allow;  ///< For the header: `GET, POST`.
};

/// @param path  as http::Request::path: decoded once.
std::variant<Match, NoSuchPath, WrongMethod> find_route(std::string_view method,
                                                        std::string_view path);

}  // namespace ringpost::control
