// Goal: a form's field is read as its sender meant it, and not at all where two readers could
// differ. Method: tables.

#include "http/form.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace ringpost::http {
namespace {

TEST(Form, GivesAFieldDecoded) {
  for (const auto& [form, value] : std::vector<std::pair<std::string, std::string>>{
           {"payload=%7B%22a%22%3A+1%7D", R"({"a": 1})"},
           {"payload=a%2Bb+c%20d", "a+b c d"},
           {"other=1&payload=x&more=2", "x"},
           {"payloads=1&payload=x&xpayload=2", "x"},
           {"payload=a=b", "a=b"},
           {"payload=", ""},
           {"payload", ""},
           {"&&payload=x&", "x"}}) {
    EXPECT_EQ(form_field(form, "payload"), value) << form;
  }
}

TEST(Form, GivesNothingThatIsMissingTwiceThereOrBroken) {
  for (const char* form : {"", "&", "other=1", "Payload=x", "payload=a&payload=a",
                           "payload&payload=a", "payload=%7", "payload=%zz"}) {
    EXPECT_EQ(form_field(form, "payload"), std::nullopt) << form;
  }
}

TEST(Form, IsKnownByItsContentTypeAlone) {
  const auto is = [](std::vector<Header> headers) {
    Request request;
    request.headers = std::move(headers);
    return is_form(request);
  };
  const std::string type = "application/x-www-form-urlencoded";
  EXPECT_TRUE(is({{"Content-Type", type}}));
  EXPECT_TRUE(is({{"content-type", "Application/X-WWW-Form-URLEncoded ; charset=utf-8"}}));
  EXPECT_FALSE(is({{"Content-Type", "application/json"}}));
  EXPECT_FALSE(is({{"Content-Type", "multipart/form-data"}}));
  EXPECT_FALSE(is({}));
  EXPECT_FALSE(is({{"Content-Type", type}, {"Content-Type", "application/json"}}));
}

}  // namespace
}  // namespace ringpost::http
