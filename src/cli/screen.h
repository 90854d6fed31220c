#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace ringpost::cli {

/// The whole of a terminal, as long as this object lives: at its end, or when a signal ends the
/// program, everything is again as it was. One at a time.
class Screen {
 public:
  /// Whether standard output is a terminal that can be drawn on.
  static bool usable();

  Screen();
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  struct Size {
    size_t columns = 80;
    size_t rows = 24;
  };
  Size size() const;
  /// Replaces what was drawn. The lines fit (top_view.h).
  void draw(const std::vector<std::string>& lines);

  enum class Wake { time, resized, quit };
  /// Waits for so long, or until the terminal is resized or somebody wants to end: by `q`, or
  /// because the terminal is gone.
  Wake wait(std::chrono::milliseconds time);
};

}  // namespace ringpost::cli
