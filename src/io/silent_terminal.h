#pragma once

#include <csignal>
#include <cstddef>
#include <optional>
#include <string>
#include <termios.h>

namespace ringpost::io {

/// While it lives, what is typed at standard input's terminal, if it is one, is not shown, and an
/// interrupt ends the read instead of the process: the terminal must not stay silent.
class SilentTerminal {
 public:
  SilentTerminal();
  SilentTerminal(const SilentTerminal&) = delete;
  SilentTerminal& operator=(const SilentTerminal&) = delete;
  ~SilentTerminal();

  bool is_terminal() const { return is_terminal_; }

  /// Reads a line of at most `bytes_max` bytes.
  /// @param prompt  on standard error, if it is a terminal.
  /// @returns nothing after an interrupt or an error; what comes beyond the limit is one byte more.
  std::optional<std::string> ask(const char* prompt, size_t bytes_max) const;

 private:
  static constexpr int signals[] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGTSTP};

  termios before_{};
  struct sigaction actions_[std::size(signals)]{};
  const bool is_terminal_;
};

}  // namespace ringpost::io
