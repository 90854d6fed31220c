// Goal: any text is one moment or none: written again it reads the same. No text makes a pause that
// is negative.

#include "base/assert.h"
#include "fuzz.h"
#include "http/date.h"

#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ringpost;
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const WallTime now = from_unix_ns(1'795'963'080'000'000'000);
  const auto time = http::parse_http_date(text, now);
  if (time) RINGPOST_ASSERT(http::parse_http_date(http::http_date(*time), now) == time);
  const auto pause = http::parse_retry_after(text, now);
  if (pause) RINGPOST_ASSERT(*pause >= std::chrono::seconds{0});
  if (time) RINGPOST_ASSERT(pause.has_value());
  return 0;
}

std::vector<std::string> fuzz_seeds() {
  return {"Sun, 06 Nov 1994 08:49:37 GMT",
          "Sunday, 06-Nov-94 08:49:37 GMT",
          "Thursday, 29-Feb-24 23:59:60 GMT",
          "Sun Nov  6 08:49:37 1994",
          "Fri, 31 Dec 9999 23:59:59 GMT",
          "18446744073709551616",
          "120"};
}
