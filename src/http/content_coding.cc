#include "http/content_coding.h"

#include "http/syntax.h"

namespace ringpost::http {

ContentCoding content_coding(const Request& head) {
  ContentCoding found = ContentCoding::identity;
  for (const Header& header : head.headers) {
    if (!equal_ignoring_case(header.name, "content-encoding")) continue;
    for_each_list_member(header.value, [&](std::string_view coding) {
      if (coding.empty() || equal_ignoring_case(coding, "identity")) return;
      const bool is_gzip =
          equal_ignoring_case(coding, "gzip") || equal_ignoring_case(coding, "x-gzip");
      const bool is_only = found == ContentCoding::identity;
      found = is_gzip && is_only ? ContentCoding::gzip : ContentCoding::other;
    });
  }
  return found;
}

}  // namespace ringpost::http
