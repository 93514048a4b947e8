// One list of fields per part of a package serves writing and reading: a Writer and a Reader are called with the same members in the same order.
#pragma once

#include <bit>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "graph/text.h"
#include "naru/abi/record.h"
#include "package/shared_bytes.h"

namespace naru::sdk::package {

/// Of a name, a reason or a description; reasons hold several names.
inline constexpr std::size_t kTextBytesMax = 8 * graph::kNameBytesMax;

class Writer {
 public:
  static constexpr bool kReads = false;
  [[nodiscard]] std::vector<std::byte> take() { return std::move(bytes_); }

  template <typename T>
    requires std::is_integral_v<T>
  void operator()(const T& value) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + sizeof(T));
    if constexpr (std::is_same_v<T, bool>) {
      bytes_[at] = std::byte{value};
    } else {
      store_le(bytes_.data() + at, value);
    }
  }
  void operator()(const float& value) { (*this)(std::bit_cast<std::uint32_t>(value)); }
  void operator()(const std::string& text) { raw(std::as_bytes(std::span(text))); }
  /// Bytes with their number in front.
  void raw(std::span<const std::byte> bytes) {
    (*this)(static_cast<std::uint64_t>(bytes.size()));
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  void fixed(std::span<const std::byte> bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }

 private:
  std::vector<std::byte> bytes_;
};

/// Never reads past its bytes: after the first failure everything that it gives is empty, and ok() is false.
class Reader {
 public:
  static constexpr bool kReads = true;
  /// `owner` holds `bytes`, or is empty: what is read copies them then.
  explicit Reader(std::span<const std::byte> bytes, SharedBytes::Owner owner = nullptr) : bytes_(bytes), owner_(std::move(owner)) {}
  [[nodiscard]] const SharedBytes::Owner& owner() const noexcept { return owner_; }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool done() const { return ok_ && bytes_.empty(); }
  void refuse() { ok_ = false; }

  template <typename T>
    requires std::is_integral_v<T>
  void operator()(T& value) {
    const auto bytes = fixed(sizeof(T));
    if (!ok_) return;
    if constexpr (std::is_same_v<T, bool>) {
      value = bytes[0] == std::byte{1};
      ok_ = value || bytes[0] == std::byte{0};
    } else {
      value = load_le<T>(bytes.data());
    }
  }
  void operator()(float& value) {
    std::uint32_t bits = 0;
    (*this)(bits);
    value = std::bit_cast<float>(bits);
  }
  void operator()(std::string& text) {
    const auto bytes = raw();
    text = graph::clean_text({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, kTextBytesMax);
  }
  std::span<const std::byte> raw() {
    std::uint64_t size = 0;
    (*this)(size);
    return fixed(size);
  }
  std::span<const std::byte> fixed(std::uint64_t size) {
    if (!ok_ || size > bytes_.size()) {
      ok_ = false;
      return {};
    }
    const auto result = bytes_.first(size);
    bytes_ = bytes_.subspan(size);
    return result;
  }

 private:
  std::span<const std::byte> bytes_;
  SharedBytes::Owner owner_;
  bool ok_ = true;
};

template <typename Archive, typename T>
  requires std::is_enum_v<T>
void transfer(Archive& archive, T& value) {
  auto raw = static_cast<std::underlying_type_t<std::remove_const_t<T>>>(value);
  archive(raw);
  if constexpr (Archive::kReads) value = static_cast<T>(raw);
}

template <typename Archive, typename T>
  requires(std::is_arithmetic_v<T> || std::is_same_v<std::remove_const_t<T>, std::string>)
void transfer(Archive& archive, T& value) {
  archive(value);
}

template <typename Archive>
void transfer_bytes(Archive& archive, std::vector<std::byte>& bytes) {
  if constexpr (Archive::kReads) {
    const auto raw = archive.raw();
    bytes.assign(raw.begin(), raw.end());
  } else {
    archive.raw(bytes);
  }
}

template <typename Archive>
void transfer_bytes(Archive& archive, SharedBytes& bytes) {
  if constexpr (Archive::kReads) {
    const auto raw = archive.raw();
    bytes = archive.owner() ? SharedBytes(archive.owner(), raw) : SharedBytes(std::vector<std::byte>(raw.begin(), raw.end()));
  } else {
    archive.raw(bytes);
  }
}

/// A record of abi/: its own codec.
template <typename Archive, abi::Described T>
void transfer_record(Archive& archive, T& record) {
  if constexpr (Archive::kReads) {
    if (abi::decode(archive.fixed(abi::wire_size<T>()), record) != abi::Decoded::kOk) archive.refuse();
  } else {
    archive.fixed(abi::encode(record));
  }
}

template <typename Archive, typename T>
void transfer(Archive& archive, std::vector<T>& values) {
  auto count = static_cast<std::uint32_t>(values.size());
  archive(count);
  if constexpr (Archive::kReads) {
    // Grown one by one: a count that the bytes do not bear out costs nothing.
    values.clear();
    for (std::uint32_t i = 0; i < count && archive.ok(); ++i) transfer(archive, values.emplace_back());
    if (!archive.ok()) values.clear();
  } else {
    for (T& value : values) transfer(archive, value);
  }
}

template <typename Archive, typename T>
void transfer(Archive& archive, std::optional<T>& value) {
  bool present = value.has_value();
  archive(present);
  if constexpr (Archive::kReads) {
    if (present) value.emplace();
  }
  if (present) transfer(archive, *value);
}

}  // namespace naru::sdk::package
