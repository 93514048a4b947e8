// The treap of holes. Recursion is as deep as the treap, which chance keeps at a few times the logarithm of its size.
#include "core/holes.h"

#include <algorithm>

namespace naru::mockdev {

void Holes::reserve(std::size_t holes) {
  if (holes <= nodes_.capacity() && holes <= spare_.capacity()) return;
  const std::size_t places = std::max<std::size_t>(2 * nodes_.capacity(), std::max<std::size_t>(holes, 16));
  spare_.reserve(places);
  nodes_.reserve(places);
}

void Holes::update(Link link) noexcept {
  Node& node = nodes_[link];
  node.largest = std::max({node.bytes, largest_of(node.left), largest_of(node.right)});
}

Holes::Link Holes::merge(Link left, Link right) noexcept {
  if (left == kNone) return right;
  if (right == kNone) return left;
  const bool left_on_top = nodes_[left].priority >= nodes_[right].priority;
  const Link top = left_on_top ? left : right;
  if (left_on_top) {
    nodes_[top].right = merge(nodes_[top].right, right);
  } else {
    nodes_[top].left = merge(left, nodes_[top].left);
  }
  update(top);
  return top;
}

void Holes::split(Link link, std::uint64_t offset, Link& below, Link& above) noexcept {
  if (link == kNone) {
    below = above = kNone;
    return;
  }
  Node& node = nodes_[link];
  if (node.offset < offset) {
    split(node.right, offset, node.right, above);
    below = link;
  } else {
    split(node.left, offset, below, node.left);
    above = link;
  }
  update(link);
}

std::optional<std::uint64_t> Holes::take(std::uint64_t bytes) noexcept {
  if (largest_of(root_) < bytes) return std::nullopt;
  return take_below(root_, bytes);
}

/// The hole is there.
std::uint64_t Holes::take_below(Link& link, std::uint64_t bytes) noexcept {
  Node& node = nodes_[link];
  std::uint64_t offset = 0;
  if (largest_of(node.left) >= bytes) {
    offset = take_below(node.left, bytes);
  } else if (node.bytes >= bytes) {
    offset = node.offset;
    node.offset += bytes;
    node.bytes -= bytes;
    if (node.bytes == 0) {
      spare_.push_back(link);
      link = merge(node.left, node.right);
      return offset;
    }
  } else {
    offset = take_below(node.right, bytes);
  }
  update(link);
  return offset;
}

void Holes::insert(Link& link, Link node) noexcept {
  if (link == kNone || nodes_[link].priority < nodes_[node].priority) {
    split(link, nodes_[node].offset, nodes_[node].left, nodes_[node].right);
    link = node;
  } else {
    insert(nodes_[node].offset < nodes_[link].offset ? nodes_[link].left : nodes_[link].right, node);
  }
  update(link);
}

void Holes::erase(Link& link, std::uint64_t offset) noexcept {
  Node& node = nodes_[link];
  if (node.offset == offset) {
    spare_.push_back(link);
    link = merge(node.left, node.right);
    return;
  }
  erase(offset < node.offset ? node.left : node.right, offset);
  update(link);
}

void Holes::move(Link link, std::uint64_t offset, std::uint64_t new_offset, std::uint64_t new_bytes) noexcept {
  Node& node = nodes_[link];
  if (node.offset == offset) {
    node.offset = new_offset;
    node.bytes = new_bytes;
  } else {
    move(offset < node.offset ? node.left : node.right, offset, new_offset, new_bytes);
  }
  update(link);
}

void Holes::give(std::uint64_t offset, std::uint64_t bytes) noexcept {
  Link before = kNone, after = kNone;
  for (Link link = root_; link != kNone;) {
    const bool is_before = nodes_[link].offset < offset;
    (is_before ? before : after) = link;
    link = is_before ? nodes_[link].right : nodes_[link].left;
  }
  const bool joins_before = before != kNone && nodes_[before].offset + nodes_[before].bytes == offset;
  const bool joins_after = after != kNone && offset + bytes == nodes_[after].offset;
  if (joins_before) {
    const Node joined = nodes_[before];
    const std::uint64_t more = joins_after ? nodes_[after].bytes : 0;
    if (joins_after) erase(root_, nodes_[after].offset);
    return move(root_, joined.offset, joined.offset, joined.bytes + bytes + more);
  }
  if (joins_after) return move(root_, nodes_[after].offset, offset, bytes + nodes_[after].bytes);
  Link link = static_cast<Link>(nodes_.size());
  if (spare_.empty()) {
    nodes_.emplace_back();
  } else {
    link = spare_.back();
    spare_.pop_back();
  }
  random_ = random_ * 1664525 + 1013904223;
  nodes_[link] = {.offset = offset, .bytes = bytes, .largest = bytes, .left = kNone, .right = kNone, .priority = random_ >> 8};
  insert(root_, link);
}

}  // namespace naru::mockdev
