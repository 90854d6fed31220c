#include "load/svg_plot.h"

#include "load/figures.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace ringpost::load {
namespace {

constexpr double width = 720;
constexpr double height = 300;
constexpr double left = 70;
constexpr double right = 20;
constexpr double top = 34;
constexpr double bottom = 66;
constexpr double gap = 20;  ///< Between two plots of a file.

/// Of the Okabe-Ito palette: told apart by readers who see colours differently.
constexpr std::array<const char*, 6> colors{"#0072b2", "#d55e00", "#009e73",
                                            "#cc79a7", "#e69f00", "#56b4e9"};

struct Scale {
  double x_max = 0;
  double y_max = 0;

  double x(double value) const { return left + value / x_max * (width - left - right); }
  double y(double value) const { return height - bottom - value / y_max * (height - top - bottom); }
};

std::string at(double number) {
  return decimal_text(number, 1);
}

/// A mark's number: no more digits than it needs.
std::string mark_text(double number) {
  if (number >= 1000) return number_text(number);
  std::string text = decimal_text(number, 3);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

std::string text_at(double x, double y, const char* anchor, std::string_view text) {
  return "<text x=\"" + at(x) + "\" y=\"" + at(y) + "\" text-anchor=\"" + anchor + "\">" +
         escaped(text) + "</text>";
}

std::string line_between(double x1, double y1, double x2, double y2) {
  return "<line x1=\"" + at(x1) + "\" y1=\"" + at(y1) + "\" x2=\"" + at(x2) + "\" y2=\"" + at(y2) +
         "\" stroke=\"#888\" stroke-opacity=\"0.3\"/>";
}

std::string axes(const Plot& plot, const Scale& scale) {
  std::string svg;
  for (const double mark : round_marks(scale.y_max)) {
    if (mark > scale.y_max * 1.001) continue;
    svg += line_between(left, scale.y(mark), width - right, scale.y(mark));
    svg += text_at(left - 8, scale.y(mark) + 4, "end", mark_text(mark));
  }
  auto marks = plot.x_marks;
  if (marks.empty()) {
    for (const double mark : round_marks(scale.x_max)) marks.emplace_back(mark, mark_text(mark));
  }
  for (const auto& [place, text] : marks) {
    if (place > scale.x_max * 1.001) continue;
    svg += line_between(scale.x(place), top, scale.x(place), height - bottom);
    svg += text_at(scale.x(place), height - bottom + 18, "middle", text);
  }
  svg += text_at((left + width - right) / 2, height - bottom + 36, "middle", plot.x_label);
  return svg + "<text transform=\"translate(16 " + at((top + height - bottom) / 2) +
         ") rotate(-90)\" text-anchor=\"middle\">" + escaped(plot.y_label) + "</text>";
}

std::string curve(const Series& series, const Scale& scale, const char* color) {
  std::string points;
  for (const auto& [x, y] : series.points) points += at(scale.x(x)) + "," + at(scale.y(y)) + " ";
  std::string svg = "<polyline fill=\"none\" stroke-width=\"1.6\" stroke=\"" + std::string{color} +
                    "\" points=\"" + points + "\"/>";
  if (series.points.size() > 40) return svg;
  for (const auto& [x, y] : series.points) {
    svg += "<circle r=\"2.4\" fill=\"" + std::string{color} + "\" cx=\"" + at(scale.x(x)) +
           "\" cy=\"" + at(scale.y(y)) + "\"/>";
  }
  return svg;
}

}  // namespace

std::vector<double> round_marks(double max) {
  if (!(max > 0) || !std::isfinite(max)) return {0};
  const double rough = max / 5;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  const double factor = rough / power;
  const double step = power * (factor <= 1 ? 1 : factor <= 2 ? 2 : factor <= 5 ? 5 : 10);
  std::vector<double> marks;
  for (int index = 0; marks.empty() || marks.back() < max * 0.999; ++index) {
    marks.push_back(step * index);
  }
  return marks;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char byte : text) {
    switch (byte) {
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '&': out += "&amp;"; break;
      case '"': out += "&quot;"; break;
      default: out += byte;
    }
  }
  return out;
}

namespace {

/// The plot without the element around it; empty if there is no point.
std::string drawn(const Plot& plot) {
  Scale scale;
  bool any = false;
  for (const Series& series : plot.series) {
    for (const auto& [x, y] : series.points) {
      any = true;
      scale.x_max = std::max(scale.x_max, x);
      scale.y_max = std::max(scale.y_max, y);
    }
  }
  if (!any) return "";
  if (!(scale.x_max > 0)) scale.x_max = 1;
  scale.y_max = scale.y_max > 0 ? round_marks(scale.y_max).back() : 1;
  std::string svg = "<text x=\"" + at(left) + "\" y=\"18\" font-weight=\"bold\">" +
                    escaped(plot.title) + "</text>" + axes(plot, scale);
  double legend = left;
  for (size_t index = 0; index < plot.series.size(); ++index) {
    const Series& series = plot.series[index];
    const char* color = colors[index % colors.size()];
    svg += curve(series, scale, color);
    svg += "<rect x=\"" + at(legend) + "\" y=\"" + at(height - 20) +
           "\" width=\"10\" height=\"10\" fill=\"" + color + "\"/>";
    svg += text_at(legend + 14, height - 11, "start", series.name);
    legend += 40 + 7 * static_cast<double>(series.name.size());
  }
  return svg;
}

std::string svg_begins(double high, std::string_view label) {
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + at(width) + " " + at(high) +
         "\" role=\"img\" aria-label=\"" + escaped(label) +
         "\" font-family=\"sans-serif\" font-size=\"12\">";
}

}  // namespace

std::string to_svg(const Plot& plot) {
  const std::string inner = drawn(plot);
  return inner.empty() ? "" : svg_begins(height, plot.title) + inner + "</svg>\n";
}

std::string to_svg_file(const std::vector<Plot>& plots) {
  double top_of_plot = 0;
  std::string inner;
  for (const Plot& plot : plots) {
    inner += "<g transform=\"translate(0 " + at(top_of_plot) + ")\">" + drawn(plot) + "</g>\n";
    top_of_plot += height + gap;
  }
  return svg_begins(top_of_plot, "Results of ringpost-load") +
         "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n" + inner + "</svg>\n";
}

}  // namespace ringpost::load
