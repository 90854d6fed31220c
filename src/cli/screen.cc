#include "cli/screen.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <initializer_list>
#include <poll.h>
#include <string_view>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

namespace ringpost::cli {
namespace {

// Another screen than the one before, without a cursor, where long lines do not wrap; and back.
constexpr std::string_view enter = "\x1b[?1049h\x1b[?25l\x1b[?7l";
constexpr std::string_view leave = "\x1b[?7h\x1b[?25h\x1b[?1049l";

// For signal handlers, which can be given nothing.
termios terminal_before;
bool terminal_changed = false;
volatile std::sig_atomic_t resized = 0;

void write_all(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // The terminal is gone: `wait` finds that out.
    text.remove_prefix(static_cast<size_t>(written));
  }
}

/// Calls only what a signal handler may.
void restore() {
  write_all(leave);
  if (terminal_changed) tcsetattr(STDIN_FILENO, TCSANOW, &terminal_before);
}

/// Ctrl-C is how `top` is ended, and no failure; any other signal ends it as it would have.
void on_end(int signal) {
  restore();
  if (signal == SIGINT) _exit(0);
  ::signal(signal, SIG_DFL);
  raise(signal);
}

void on_resize(int) {
  resized = 1;
}

void handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigaction(signal, &action, nullptr);
}

}  // namespace

bool Screen::usable() {
  const char* kind = std::getenv("TERM");
  return isatty(STDOUT_FILENO) == 1 && kind != nullptr && *kind != '\0' &&
         std::string_view{kind} != "dumb";
}

Screen::Screen() {
  terminal_changed = isatty(STDIN_FILENO) == 1 && tcgetattr(STDIN_FILENO, &terminal_before) == 0;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) handle(signal, on_end);
  handle(SIGWINCH, on_resize);
  if (terminal_changed) {
    termios raw = terminal_before;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    raw.c_cc[VSUSP] = _POSIX_VDISABLE;  // A stopped program would leave its screen behind.
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  }
  write_all(enter);
}

Screen::~Screen() {
  restore();
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH}) handle(signal, SIG_DFL);
}

Screen::Size Screen::size() const {
  winsize window{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_col == 0) return {};
  return {.columns = window.ws_col, .rows = std::max<size_t>(window.ws_row, 1)};
}

void Screen::draw(const std::vector<std::string>& lines) {
  std::string text = "\x1b[H";
  for (size_t index = 0; index < lines.size(); ++index) {
    if (index > 0) text += "\r\n";
    text.append(lines[index]).append("\x1b[K");
  }
  write_all(text + "\x1b[J");
}

Screen::Wake Screen::wait(std::chrono::milliseconds time) {
  const auto deadline = std::chrono::steady_clock::now() + time;
  while (true) {
    if (resized != 0) {
      resized = 0;
      return Wake::resized;
    }
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return Wake::time;
    pollfd input{.fd = terminal_changed ? STDIN_FILENO : -1, .events = POLLIN, .revents = 0};
    if (poll(&input, 1, static_cast<int>(left.count())) <= 0) continue;
    std::array<char, 64> keys{};
    const ssize_t count = read(STDIN_FILENO, keys.data(), keys.size());
    if (count == 0 || (count < 0 && errno != EINTR)) return Wake::quit;
    const std::string_view typed{keys.data(), static_cast<size_t>(std::max<ssize_t>(count, 0))};
    if (typed.find_first_of("qQ") != std::string_view::npos) return Wake::quit;
  }
}

}  // namespace ringpost::cli
