#include "dialect/cloudevents/attributes.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

namespace ringpost::dialect::cloudevents {
namespace {

std::string uri(std::string_view text) {
  std::string out;
  append_uri_reference(out, text);
  return out;
}

std::string header(std::string_view text) {
  std::string out;
  append_header_value(out, text);
  return out;
}

// RFC 3986: what is a URI-reference stays, everything else becomes one.
TEST(UriReference, KeepsWhatIsOneAndEncodesWhatIsNot) {
  for (const std::string_view same :
       {"app/x", "/a/b", "https://ci.example.org:8443/a?b=c&d#e", "urn:uuid:6e8bc430", "mailto:a@b",
        "https://[2001:db8::1]:80/x", "//host/x", "a%20b", "pipeline/a:b", "?q=x",
        "a!$&'()*+,;=@~-._", "#frag"}) {
    EXPECT_EQ(uri(same), same);
  }
  const std::pair<std::string_view, std::string_view> rows[] = {
      {"app/my app", "app/my%20app"},
      {"app/<x>", "app/%3Cx%3E"},
      {"100% sure", "100%25%20sure"},
      {"a%2", "a%252"},
      {"a%zz", "a%25zz"},
      {"app/\xc3\xa9", "app/%C3%A9"},
      {"a#b#c", "a#b%23c"},
      {"a[0]", "a%5B0%5D"},
      {"https://h/a[0]", "https://h/a%5B0%5D"},
      {"1app:x", "1app%3Ax"},  // No scheme begins with a digit.
      {"my app:x/y:z", "my%20app%3Ax/y:z"},
      {"a\"b\\c^d`e{f|g}", "a%22b%5Cc%5Ed%60e%7Bf%7Cg%7D"},
  };
  for (const auto& [text, reference] : rows) EXPECT_EQ(uri(text), reference);
}

// HTTP binding, 3.1.3.2 with its own example.
TEST(HeaderValue, EncodesSpacesQuotesPercentsAndWhatIsNotPrintable) {
  EXPECT_EQ(header("Euro \xe2\x82\xac \xf0\x9f\x98\x80"), "Euro%20%E2%82%AC%20%F0%9F%98%80");
  EXPECT_EQ(header("a\"b%c"), "a%22b%25c");
  EXPECT_EQ(header("!#$&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~"),
            "!#$&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~");
  EXPECT_EQ(header(std::string_view{"\0\x1f\x7f", 3}), "%00%1F%7F");
}

std::string walked(const journal::EventView& event) {
  std::string text;
  AttributeWalk walk;
  walk(event, [&](std::string_view name, std::string_view value, bool is_string) {
    text.append(name).append(is_string ? "=" : ":").append(value).append(";");
  });
  return text;
}

TEST(AttributeWalk, NamesEveryAttributeOnceInAFixedOrder) {
  journal::EventView event;
  event.id = "e 1";
  event.source = "app/my app";
  event.type = "t";
  event.accepted_at = from_unix_ns(1'935'738'487'123'456'789);
  EXPECT_EQ(walked(event),
            "specversion=1.0;id=e 1;source=app/my%20app;type=t;time=2031-05-05T09:08:07.123456Z;");
  event.time = "2031-05-04T09:08:07+02:00";
  event.subject = "s";
  event.branch = "main";
  event.ordering_key = "k";
  event.trace_parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  event.data_content_type = "text/plain";
  event.extensions =
      R"({"cluster":"eu\n","teams":["a","b"],"n":-7,"yes":true,"no":false,"none":""})";
  EXPECT_EQ(walked(event),
            "specversion=1.0;id=e 1;source=app/my%20app;type=t;time=2031-05-04T09:08:07+02:00;"
            "subject=s;branch=main;orderingkey=k;"
            "traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01;"
            "cluster=eu\n;teams=a,b;n:-7;yes:true;no:false;none=;");
}

}  // namespace
}  // namespace ringpost::dialect::cloudevents
