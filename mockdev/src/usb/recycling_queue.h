// A queue that allocates only while it is longer than it has ever been.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace naru::mockdev {

/// Front: the oldest. Items keep their address; T::clear() makes one as good as new when it goes, and may keep storage for the next one at its place.
template <typename T>
class RecyclingQueue {
 public:
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] T& operator[](std::size_t index) noexcept { return *places_[(head_ + index) & mask()]; }
  [[nodiscard]] const T& operator[](std::size_t index) const noexcept { return *places_[(head_ + index) & mask()]; }
  [[nodiscard]] T& front() noexcept { return (*this)[0]; }
  [[nodiscard]] const T& front() const noexcept { return (*this)[0]; }
  [[nodiscard]] T& back() noexcept { return (*this)[count_ - 1]; }

  /// A cleared item that push_back() or push_front() takes in, once it is filled. std::bad_alloc.
  [[nodiscard]] T& next() {
    make_room();
    return *places_[(head_ + count_) & mask()];
  }
  void push_back() noexcept { ++count_; }
  void push_front() noexcept {
    std::swap(places_[(head_ + count_) & mask()], places_[(head_ - 1) & mask()]);
    head_ = (head_ - 1) & mask();
    ++count_;
  }
  void pop_front() noexcept {
    front().clear();
    head_ = (head_ + 1) & mask();
    --count_;
  }
  void erase(std::size_t index) noexcept {
    for (; index > 0; --index) std::swap(places_[(head_ + index) & mask()], places_[(head_ + index - 1) & mask()]);
    pop_front();
  }
  void clear() noexcept {
    while (!empty()) pop_front();
  }

 private:
  static constexpr std::size_t kPlacesMin = 16;

  [[nodiscard]] std::size_t mask() const noexcept { return places_.size() - 1; }
  void make_room() {
    if (count_ < places_.size()) return;
    std::vector<std::unique_ptr<T>> more(places_.empty() ? kPlacesMin : 2 * places_.size());
    for (std::size_t i = count_; i < more.size(); ++i) more[i] = std::make_unique<T>();
    for (std::size_t i = 0; i < count_; ++i) more[i] = std::move(places_[(head_ + i) & mask()]);
    places_ = std::move(more);
    head_ = 0;
  }

  std::vector<std::unique_ptr<T>> places_;  // as many as a power of two, or none
  std::size_t head_ = 0, count_ = 0;
};

}  // namespace naru::mockdev
