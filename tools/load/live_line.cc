#include "load/live_line.h"

#include "cli/text.h"
#include "load/figures.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <sys/ioctl.h>
#include <unistd.h>

namespace ringpost::load {
namespace {

constexpr size_t bar_width = 20;

/// 0 to 1; nothing if there is no end to it.
std::optional<double> share_done(const Progress& progress) {
  std::optional<double> share;
  if (std::isfinite(progress.total_s) && progress.total_s > 0) {
    share = progress.elapsed_s / progress.total_s;
  }
  if (progress.total > 0) {
    const auto done = static_cast<double>(progress.due) / static_cast<double>(progress.total);
    share = std::max(share.value_or(0), done);
  }
  if (share) share = std::min(*share, 1.0);
  return share;
}

std::string seconds_text(double seconds) {
  return cli::span_of(static_cast<uint64_t>(std::llround(std::max(seconds, 0.0))));
}

}  // namespace

std::string live_line(const Progress& progress) {
  if (progress.over) return "waiting for " + cli::grouped(progress.backlog) + " answers";
  std::string line;
  if (const auto share = share_done(progress)) {
    const auto filled = static_cast<size_t>(*share * bar_width);
    line = "[" + std::string(filled, '=') + std::string(bar_width - filled, ' ') + "] ";
    const double left =
        *share > 0.01 ? progress.elapsed_s * (1 - *share) / *share : progress.total_s;
    if (std::isfinite(left)) line += seconds_text(left) + " left  ";
  } else {
    line = seconds_text(progress.elapsed_s) + "  ";
  }
  line += number_text(progress.rate) + "/s  ";
  if (progress.succeeded > 0) {
    line += "p50 " + duration_text(progress.p50) + "  p99 " + duration_text(progress.p99) + "  ";
  }
  return line + "errors " + cli::grouped(progress.failed) + "  backlog " +
         cli::grouped(progress.backlog);
}

LiveLine::LiveLine(bool wanted) : wanted_(wanted && isatty(STDERR_FILENO) == 1) {}

LiveLine::~LiveLine() {
  if (shown_) std::fputs("\r\x1b[K", stderr);
}

void LiveLine::show(const std::string& text) {
  if (!wanted_) return;
  shown_ = true;
  // A line that wraps could not be taken back.
  winsize window{};
  const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 1;
  const std::string_view fits = std::string_view{text}.substr(0, known ? window.ws_col - 1 : 79);
  std::fprintf(stderr, "\r%.*s\x1b[K", static_cast<int>(fits.size()), fits.data());
}

}  // namespace ringpost::load
