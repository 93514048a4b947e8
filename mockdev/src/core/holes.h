// The free stretches of a memory, by offset: where the first one of a size is, and what becomes of the map when it is taken or given back.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace naru::mockdev {

/// A treap by offset in which each node also knows the largest hole below it, so that first fit, taking and giving back are logarithmic in the number of holes.
/// Neighbouring holes are always joined. A plain value.
class Holes {
 public:
  /// Makes room for so many holes; only this allocates. n allocations leave n + 1 holes at most.
  void reserve(std::size_t holes);

  /// The offset of `bytes` from the first hole, by offset, that has so many; nullopt: none has.
  [[nodiscard]] std::optional<std::uint64_t> take(std::uint64_t bytes) noexcept;
  /// A stretch of which nothing is in a hole. A place was reserved for it.
  void give(std::uint64_t offset, std::uint64_t bytes) noexcept;
  [[nodiscard]] std::size_t count() const noexcept { return nodes_.size() - spare_.size(); }

 private:
  using Link = std::uint32_t;  // index in nodes_
  static constexpr Link kNone = 0xFFFFFFFF;
  struct Node {
    std::uint64_t offset = 0, bytes = 0;
    std::uint64_t largest = 0;  // of this and all below
    Link left = kNone, right = kNone;
    std::uint32_t priority = 0;  // not below those of the nodes below
  };

  [[nodiscard]] std::uint64_t largest_of(Link link) const noexcept { return link == kNone ? 0 : nodes_[link].largest; }
  void update(Link link) noexcept;
  [[nodiscard]] Link merge(Link left, Link right) noexcept;
  void split(Link link, std::uint64_t offset, Link& below, Link& above) noexcept;
  [[nodiscard]] std::uint64_t take_below(Link& link, std::uint64_t bytes) noexcept;
  void insert(Link& link, Link node) noexcept;
  void erase(Link& link, std::uint64_t offset) noexcept;
  /// The node that begins at `offset` begins and ends elsewhere from now on, its neighbours staying its neighbours.
  void move(Link link, std::uint64_t offset, std::uint64_t new_offset, std::uint64_t new_bytes) noexcept;

  std::vector<Node> nodes_;
  std::vector<Link> spare_;
  Link root_ = kNone;
  std::uint32_t random_ = 1;
};

}  // namespace naru::mockdev
