// Goal: a URL is shown as it was given and means what it was read as.

#include "api/webhook_fields.h"

#include <gtest/gtest.h>

#include <string>
#include <variant>

namespace ringpost::api {
namespace {

using subscription::Destination;

Destination read(std::string_view url) {
  auto result = read_destination("url", url);
  if (const auto* problem = std::get_if<Problem>(&result)) {
    ADD_FAILURE() << url << ": " << problem->detail;
    return {};
  }
  return std::get<Destination>(std::move(result));
}

TEST(Destination, KeepsTheSpellingBesideWhatItMeans) {
  const Destination destination = read("HTTPS://Hooks.Example.com:443/a/../b c?x=1");
  EXPECT_EQ(destination.url, "HTTPS://Hooks.Example.com:443/a/../b c?x=1");
  EXPECT_EQ(destination.host, "hooks.example.com");
  EXPECT_EQ(destination.target, "/b%20c?x=1");
  EXPECT_EQ(plain_url(destination), "https://hooks.example.com/b%20c?x=1");
}

TEST(Destination, ShowsNoSpellingThatCannotBePrinted) {
  EXPECT_EQ(read("https://a.example/\u202Ex").url, "https://a.example/%E2%80%AEx");
  EXPECT_EQ(read("https://a.example/\u00E9").url, "https://a.example/\u00E9");
}

TEST(Destination, IsTheSameHoweverItIsSpelled) {
  EXPECT_TRUE(same_destination(read("https://a.example"), read("HTTPS://A.example:443/")));
  EXPECT_TRUE(same_destination(read("http://127.1/"), read("http://127.0.0.1")));
  for (const char* other : {"http://a.example/", "https://b.example/", "https://a.example:444/",
                            "https://a.example/x"}) {
    EXPECT_FALSE(same_destination(read("https://a.example/"), read(other))) << other;
  }
}

TEST(Destination, CanBeReadAgainFromItsPlainUrl) {
  for (const char* url :
       {"https://a.example/in?a=b", "http://[::1]:8080/", "http://127.0.0.1:81/x"}) {
    EXPECT_EQ(plain_url(read(url)), url);
  }
}

}  // namespace
}  // namespace ringpost::api
