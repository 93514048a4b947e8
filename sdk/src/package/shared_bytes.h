// Immutable bytes with a share of whatever they lie in: a package's constants are a part of the file that was read, not a copy of it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace naru::sdk::package {

/// A plain value: copies share the bytes, which never change. Thread: any number may read.
class SharedBytes {
 public:
  using Owner = std::shared_ptr<const std::vector<std::byte>>;

  SharedBytes() = default;
  SharedBytes(std::vector<std::byte> bytes) : owner_(std::make_shared<const std::vector<std::byte>>(std::move(bytes))), view_(*owner_) {}  // NOLINT(google-explicit-constructor)
  /// `view` lies in `owner`.
  SharedBytes(Owner owner, std::span<const std::byte> view) noexcept : owner_(std::move(owner)), view_(view) {}

  [[nodiscard]] std::size_t size() const noexcept { return view_.size(); }
  [[nodiscard]] bool empty() const noexcept { return view_.empty(); }
  [[nodiscard]] const std::byte* data() const noexcept { return view_.data(); }
  [[nodiscard]] auto begin() const noexcept { return view_.begin(); }
  [[nodiscard]] auto end() const noexcept { return view_.end(); }
  friend bool operator==(const SharedBytes& a, const SharedBytes& b) noexcept { return std::ranges::equal(a.view_, b.view_); }

 private:
  Owner owner_;
  std::span<const std::byte> view_;
};

}  // namespace naru::sdk::package
