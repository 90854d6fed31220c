#pragma once

#include "load/report.h"
#include "load/svg_plot.h"

#include <vector>

namespace ringpost::load {

/// The plots of a result, for a page or a file: of a run latency by percentile and over time, its
/// rate over time and, if that changed, throughput against it; of a sweep everything against the
/// offered rate. Those without points are left out.
std::vector<Plot> plots_of(const Report& report);

}  // namespace ringpost::load
