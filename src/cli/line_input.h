#pragma once

#include "cli/input.h"

#include <cstddef>
#include <memory>
#include <string>

namespace ringpost::cli {

/// Text of lines, as it comes: from a file of any size, or from a pipe whose writer keeps it open.
class LineInput {
 public:
  /// Of one line, and of `rest`.
  static constexpr size_t bytes_max = size_t{256} << 20;

  /// @param name  `-`: standard input.
  static Usable<std::unique_ptr<LineInput>> open(const std::string& name);
  LineInput(const LineInput&) = delete;
  LineInput& operator=(const LineInput&) = delete;
  ~LineInput();

  /// Waits for a whole line, and takes what else has come by then, up to both limits; more bytes if
  /// the first line is longer. The last line may have no end. Empty: the end of all.
  Usable<std::string> take(size_t lines_limit, size_t bytes_limit);
  /// Everything to the end.
  Usable<std::string> rest();
  bool at_end() const { return ended_ && buffer_.empty(); }

 private:
  LineInput(int descriptor, std::string name) : descriptor_(descriptor), name_(std::move(name)) {}
  /// Reads once. @returns a problem; empty text if there is none.
  std::string fill();
  bool more_comes() const;
  size_t whole_lines(size_t lines_limit, size_t bytes_limit) const;
  std::string cut(size_t size);

  const int descriptor_;
  const std::string name_;
  std::string buffer_;
  size_t searched_ = 0;  ///< Up to there no line ends.
  bool begun_ = false;
  bool ended_ = false;
};

}  // namespace ringpost::cli
