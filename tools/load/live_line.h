#pragma once

#include "load/generator.h"

#include <string>

namespace ringpost::load {

/// What is shown while a run goes on: a bar, the time left, rate, latency, errors, backlog.
std::string live_line(const Progress& progress);

/// Writes it over itself on standard error, if that is a terminal. The destructor removes it.
class LiveLine {
 public:
  explicit LiveLine(bool wanted);
  ~LiveLine();
  LiveLine(const LiveLine&) = delete;
  LiveLine& operator=(const LiveLine&) = delete;

  void show(const std::string& text);

 private:
  const bool wanted_;
  bool shown_ = false;
};

}  // namespace ringpost::load
