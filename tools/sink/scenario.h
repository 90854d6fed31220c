#pragma once

#include "net/tls.h"
#include "sink/behaviour.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace ringpost::dialect {
class Dialect;
}

// What the endpoints of a sink do, as a file says it: tools/sink/README.md has every key.

namespace ringpost::sink {

/// What requests of one dialect are verified with.
struct Secret {
  const dialect::Dialect* dialect = nullptr;
  std::string text;  ///< The dialect has no objection to it.
};

/// Which certificate an endpoint shows.
enum class CertificateKind : uint8_t {
  good,
  expired,
  not_yet_valid,
  wrong_name,      ///< For another host.
  unknown_issuer,  ///< By a CA that nobody was given.
  self_signed,
};
inline constexpr std::string_view certificate_names[] = {
    "good", "expired", "not_yet_valid", "wrong_name", "unknown_issuer", "self_signed"};

/// From `from` on, counted from the sink's start, the endpoint behaves like this.
struct Phase {
  Duration from{};
  Behaviour behaviour;
};

/// A time in which the endpoint does not serve.
struct Outage {
  enum class Kind : uint8_t {
    refuse,  ///< Nobody listens at the port, and open connections are reset.
    reset,   ///< Each request is answered by a reset.
    hang,    ///< No request is answered.
    status,  ///< Each request is answered with 503.
  };

  Kind kind = Kind::refuse;
  Duration from{};
  Duration length{};
  Duration every{};  ///< Begins again after this; zero: once. Longer than `length`.

  bool covers(Duration elapsed) const;
};
inline constexpr std::string_view outage_names[] = {"refuse", "reset", "hang", "503"};

/// All that is set of one endpoint.
struct EndpointPlan {
  std::string name;
  uint16_t port = 0;  ///< 0: the next after the one before, or any.
  bool tls = true;
  net::ServerTls::Versions versions = net::ServerTls::Versions::both;
  CertificateKind certificate = CertificateKind::good;
  uint64_t fail_first = 0;        ///< This number of requests gets 503 first, whatever else is set.
  std::vector<Phase> phases{{}};  ///< At least one, in order; the first from 0.
  Duration repeat{};              ///< The phases begin again after this; zero: never.
  std::vector<Outage> outages;
  std::vector<Secret> secrets;

  const Phase& phase_at(Duration elapsed) const;
  /// The first outage that covers this time, or null.
  const Outage* outage_at(Duration elapsed) const;
  bool refuses_ever() const;
};

struct Scenario {
  uint64_t seed =
      1;  ///< Of all that is drawn: the same requests in the same order, the same draws.
  std::vector<EndpointPlan> endpoints;
};

/// What is wrong with a file, and where. Line and column count from 1; 0: it is of the whole file.
struct ScenarioProblem {
  uint32_t line = 0;
  uint32_t column = 0;
  std::string text;
};

inline constexpr uint32_t endpoints_max = 10'000;

/// @param text  TOML.
/// @param base  what each endpoint does where the file says nothing else.
/// Reads the files of secrets.
std::variant<Scenario, ScenarioProblem> parse_scenario(std::string_view text,
                                                       const EndpointPlan& base);

/// Whether a text is `Name: value` and can be a header. Framing headers are not refused: a wrong
/// Content-Length may be what is wanted.
bool valid_answer_header(std::string_view text);

}  // namespace ringpost::sink
