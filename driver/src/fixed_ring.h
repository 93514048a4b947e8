// A queue of fixed capacity that never allocates.
#pragma once

#include <array>
#include <cstddef>

namespace naru::driver {

/// First in, first out; N is a power of two. push() on a full ring and front() on an empty one are the caller's mistakes.
template <typename T, std::size_t N>
class FixedRing {
  static_assert((N & (N - 1)) == 0);

 public:
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] bool full() const noexcept { return count_ == N; }
  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] T& front() noexcept { return items_[head_]; }
  [[nodiscard]] T& at(std::size_t index) noexcept { return items_[(head_ + index) & (N - 1)]; }
  void push(const T& item) noexcept { items_[(head_ + count_++) & (N - 1)] = item; }
  T pop() noexcept {
    T item = items_[head_];
    head_ = (head_ + 1) & (N - 1);
    --count_;
    return item;
  }
  /// Takes out the item at `index`, keeping the order of the others.
  T remove(std::size_t index) noexcept {
    T item = at(index);
    for (; index > 0; --index) at(index) = at(index - 1);
    head_ = (head_ + 1) & (N - 1);
    --count_;
    return item;
  }
  void clear() noexcept { count_ = 0; }

 private:
  std::array<T, N> items_{};
  std::size_t head_ = 0, count_ = 0;
};

}  // namespace naru::driver
