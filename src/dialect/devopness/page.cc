#include "dialect/devopness/page.h"

#include "http/query.h"
#include "http/syntax.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace ringpost::dialect::devopness {
namespace {

std::optional<size_t> number_of(const http::QueryParameters& query, std::string_view name,
                                size_t absent, size_t most) {
  const auto text = query.find(name);
  if (!text) return absent;
  const auto number = http::parse_decimal(*text);
  if (!number || *number < 1 || *number > most) return std::nullopt;
  return static_cast<size_t>(*number);
}

}  // namespace

std::variant<Page, api::Problem> Page::read(const api::Call& call, size_t items) {
  constexpr size_t pages_max = 1'000'000'000;
  const auto parsed = http::QueryParameters::parse(call.request.query);
  if (const auto* wrong = std::get_if<http::UrlProblem>(&parsed)) {
    return api::refusal(422, "the query cannot be read: " + wrong->reason);
  }
  const auto& query = std::get<http::QueryParameters>(parsed);
  const auto number = number_of(query, "page", 1, pages_max);
  if (!number) return api::invalid("page", "must be a number from 1");
  const auto size = number_of(query, "per_page", items_default, items_max);
  if (!size) return api::invalid("per_page", "must be a number from 1 to 100");
  static_assert(items_max == 100, "the sentence says so");
  const size_t last = std::max<size_t>((items + *size - 1) / *size, 1);
  Page page;
  page.begin_ = std::min((*number - 1) * *size, items);
  page.end_ = std::min(page.begin_ + *size, items);
  const auto link = [&](size_t to, std::string_view relation) {
    if (!page.links_.empty()) page.links_ += ", ";
    page.links_ += '<' + call.base_url + call.request.path + "?page=" + std::to_string(to) +
                   "&per_page=" + std::to_string(*size) + ">; rel=\"";
    page.links_.append(relation).append("\"");
  };
  link(1, "first");
  link(last, "last");
  if (*number > 1) link(std::min(*number - 1, last), "previous");
  if (*number < last) link(*number + 1, "next");
  return page;
}

api::Answer Page::answer(std::string body) const {
  api::Answer answer = api::answer_json(200, std::move(body));
  answer.response.headers.push_back({"Link", links_});
  return answer;
}

}  // namespace ringpost::dialect::devopness
