#pragma once

#include <string_view>

namespace ringpost::sink {

// The files of the live page.
std::string_view page_html();
std::string_view page_css();
std::string_view page_js();

}  // namespace ringpost::sink
