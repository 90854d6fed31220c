#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::sim {

/// The measure of a run, kept outside of the relay (reliability, "The measure"): what producers
/// posted and were promised, against what receivers got and what the relay still has.
class Ledger {
 public:
  /// A producer posted `content` under `id`, for the first time or again with the same content.
  void posted(const std::string& id, std::string_view content);
  /// It was answered with a promise (2xx).
  void acknowledged(const std::string& id);
  /// It was answered with a refusal, and nothing may come of it, unless another try of the same id
  /// was acknowledged or is indeterminate.
  void refused(const std::string& id);
  /// A try ended without an answer: it may go either way.
  void indeterminate(const std::string& id);
  /// A receiver got `content` under `id`.
  void delivered(const std::string& id, std::string_view content);
  /// The relay lists it as pending, or as a dead letter with a reason.
  void accounted(const std::string& id);

  struct Verdict {
    std::vector<std::string> lost;     ///< Acknowledged; neither delivered nor accounted for.
    std::vector<std::string> phantom;  ///< Delivered; never posted, or only ever refused.
    std::vector<std::string> altered;  ///< Delivered with other content.
    uint64_t duplicates = 0;           ///< Deliveries beyond the first of each id.

    bool clean() const { return lost.empty() && phantom.empty() && altered.empty(); }
    /// For a failing test: "lost: a b; phantom: …", or "clean".
    std::string to_text() const;
  };
  Verdict verdict() const;

  size_t posted_count() const;
  size_t acknowledged_count() const;

 private:
  struct Entry {
    std::string content;
    bool was_posted = false;
    bool was_acknowledged = false;
    bool was_refused = false;
    bool was_indeterminate = false;
    bool was_accounted = false;
    bool was_altered = false;
    uint64_t deliveries = 0;

    bool phantom() const {
      const bool only_refused = was_refused && !was_acknowledged && !was_indeterminate;
      return deliveries > 0 && (!was_posted || only_refused);
    }
    bool lost() const { return was_acknowledged && deliveries == 0 && !was_accounted; }
  };

  std::map<std::string, Entry> entries_;
};

}  // namespace ringpost::sim
