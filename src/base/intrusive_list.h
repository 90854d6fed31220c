#pragma once

#include "base/assert.h"

#include <cstddef>

namespace ringpost {

/// A link embedded in an object that is in at most one list per link. Unlinks itself when
/// destroyed, so a list never points at freed memory.
class ListLink {
 public:
  ListLink() = default;
  ListLink(const ListLink&) = delete;
  ListLink& operator=(const ListLink&) = delete;
  ~ListLink() { unlink(); }

  bool linked() const { return next_ != nullptr; }

  void unlink() {
    if (!linked()) return;
    previous_->next_ = next_;
    next_->previous_ = previous_;
    next_ = previous_ = nullptr;
  }

 private:
  template <typename T, ListLink T::*Member>
  friend class IntrusiveList;

  void insert_before(ListLink& place) {
    RINGPOST_ASSERT(!linked());
    previous_ = place.previous_;
    next_ = &place;
    previous_->next_ = this;
    place.previous_ = this;
  }

  ListLink* next_ = nullptr;
  ListLink* previous_ = nullptr;
};

/// A doubly linked list of objects that it does not own: no allocation, O(1) everywhere but size.
template <typename T, ListLink T::*Member>
class IntrusiveList {
 public:
  IntrusiveList() { head_.next_ = head_.previous_ = &head_; }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;
  ~IntrusiveList() {
    while (!empty()) pop_front();
    head_.next_ = head_.previous_ = nullptr;
  }

  bool empty() const { return head_.next_ == &head_; }
  void push_back(T& item) { (item.*Member).insert_before(head_); }
  void push_front(T& item) { (item.*Member).insert_before(*head_.next_); }

  T& front() {
    RINGPOST_ASSERT(!empty());
    return *owner(head_.next_);
  }
  T& back() {
    RINGPOST_ASSERT(!empty());
    return *owner(head_.previous_);
  }
  T& pop_front() {
    T& item = front();
    (item.*Member).unlink();
    return item;
  }

  /// Calls `visit(item)` for each item; `visit` may unlink the item it is given.
  template <typename Visit>
  void for_each(Visit visit) {
    for (ListLink* link = head_.next_; link != &head_;) {
      ListLink* next = link->next_;
      visit(*owner(link));
      link = next;
    }
  }

 private:
  static T* owner(ListLink* link) {
    // The offset of the link in T, without offsetof's demand for a standard-layout type.
    alignas(T) static char storage[sizeof(T)];
    const T* sample = reinterpret_cast<const T*>(storage);
    const auto offset = reinterpret_cast<const char*>(&(sample->*Member)) - storage;
    return reinterpret_cast<T*>(reinterpret_cast<char*>(link) - offset);
  }

  ListLink head_;
};

}  // namespace ringpost
