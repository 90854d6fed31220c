#include "io/silent_terminal.h"

#include <cstdio>
#include <iterator>
#include <string_view>
#include <unistd.h>

namespace ringpost::io {
namespace {

/// What some editors put before a text.
constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

}  // namespace

SilentTerminal::SilentTerminal() : is_terminal_(tcgetattr(STDIN_FILENO, &before_) == 0) {
  if (!is_terminal_) return;
  struct sigaction interrupt {};
  interrupt.sa_handler = [](int) {};  // Without SA_RESTART: read() returns EINTR.
  for (size_t i = 0; i < std::size(signals); ++i) sigaction(signals[i], &interrupt, &actions_[i]);
  termios silent = before_;
  silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
}

SilentTerminal::~SilentTerminal() {
  if (!is_terminal_) return;
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  for (size_t i = 0; i < std::size(signals); ++i) sigaction(signals[i], &actions_[i], nullptr);
}

std::optional<std::string> SilentTerminal::ask(const char* prompt, size_t bytes_max) const {
  if (is_terminal_) std::fputs(prompt, stderr);
  std::string line;
  while (line.size() <= bytes_max) {
    char byte = 0;
    const ssize_t got = ::read(STDIN_FILENO, &byte, 1);
    if (got < 0) return std::nullopt;
    if (got == 0 || byte == '\n') break;
    line += byte;
  }
  if (is_terminal_) std::fputc('\n', stderr);
  if (line.starts_with(byte_order_mark)) line.erase(0, byte_order_mark.size());
  return line;
}

}  // namespace ringpost::io
