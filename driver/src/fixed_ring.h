// Queues of fixed capacity: none allocates once it is made.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <utility>
#include <vector>

namespace naru::driver {

/// First in, first out; there are as many places as a power of two. push() on a full ring and front() on an empty one are the caller's mistakes.
template <typename T, typename Items>
class BasicRing {
 public:
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] bool full() const noexcept { return count_ == items_.size(); }
  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] T& front() noexcept { return items_[head_]; }
  [[nodiscard]] T& at(std::size_t index) noexcept { return items_[(head_ + index) & mask()]; }
  void push(const T& item) noexcept { items_[(head_ + count_++) & mask()] = item; }
  T pop() noexcept {
    T item = items_[head_];
    head_ = (head_ + 1) & mask();
    --count_;
    return item;
  }
  /// Takes out the item at `index`, keeping the order of the others.
  T remove(std::size_t index) noexcept {
    T item = at(index);
    for (; index > 0; --index) at(index) = at(index - 1);
    head_ = (head_ + 1) & mask();
    --count_;
    return item;
  }
  void clear() noexcept { count_ = 0; }

 protected:
  BasicRing() = default;
  explicit BasicRing(Items items) : items_(std::move(items)) {}

 private:
  [[nodiscard]] std::size_t mask() const noexcept { return items_.size() - 1; }

  Items items_{};
  std::size_t head_ = 0, count_ = 0;
};

/// Its places lie in it.
template <typename T, std::size_t N>
class FixedRing : public BasicRing<T, std::array<T, N>> {
  static_assert((N & (N - 1)) == 0);
};

/// The number of places is known when it is made; one that is not made so is for nothing but assigning to.
template <typename T>
class Ring : public BasicRing<T, std::vector<T>> {
 public:
  Ring() = default;
  explicit Ring(std::size_t places) : BasicRing<T, std::vector<T>>(std::vector<T>(std::bit_ceil(places))) {}
};

}  // namespace naru::driver
