// A package as bytes: header, section table, sections; each section hashed, all verified before any byte of them is used.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "naru/base/result.h"
#include "package/package.h"

namespace naru::sdk::package {

/// The same package gives the same bytes.
[[nodiscard]] std::vector<std::byte> encode(const Package& package);

/// Refuses, each with its own id and the place: not a package (kPackageNotNaru), cut short (kPackageTruncated), a hash that differs (kPackageHash),
/// an older or newer format (kPackageVersion), anything that contradicts itself (kPackageStructure): indices, sizes, streams whose declarations
/// differ from their bindings, host steps whose operands do not fit. Streams are framed here and verified (verify::verify_stream) for `Advice::chip`.
[[nodiscard]] Result<Package> decode(std::span<const std::byte> bytes);
/// The same without a copy of the constants: they stay where they lie, and the package keeps a share of `bytes`. Not null.
[[nodiscard]] Result<Package> decode(SharedBytes::Owner bytes);

/// Whether `bytes` look like a package at all.
[[nodiscard]] bool is_package(std::span<const std::byte> bytes) noexcept;

/// kPackageRequirement names what `chip` lacks.
[[nodiscard]] Result<void> check_requirements(const Package& package, const abi::Chip& chip);

}  // namespace naru::sdk::package
