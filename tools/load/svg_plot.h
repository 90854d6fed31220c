#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ringpost::load {

/// A line of a plot.
struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;  ///< x does not decrease.
};

/// A plot of lines over a common axis. Its y axis begins at 0.
struct Plot {
  std::string title;
  std::string x_label;
  std::string y_label;
  std::vector<Series> series;  ///< At most six.
  /// Where the x axis has its marks, and what they say; empty: round numbers.
  std::vector<std::pair<double, std::string>> x_marks;
};

/// The plot as an SVG element, for a page or a file. Empty if there is no point.
std::string to_svg(const Plot& plot);

/// The plots one below the other, as a file that needs nothing else.
std::string to_svg_file(const std::vector<Plot>& plots);

/// Marks from 0 to at least `max`: about five, at multiples of 1, 2 or 5.
std::vector<double> round_marks(double max);

/// Text as it may stand in HTML, XML and attributes in double quotes.
std::string escaped(std::string_view text);

}  // namespace ringpost::load
