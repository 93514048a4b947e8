// The compute units of the mock device: given a decoded command and pointers into device memory, they compute what the record's
// loop nest in naru/abi/isa.h says, to the bit, on whichever instruction set was chosen. They know nothing of regions, engines or time.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "naru/abi/isa.h"
#include "naru/base/result.h"
#include "units/parallel.h"

namespace naru::mockdev {

/// Which kernels compute convolutions, depthwise convolutions and requantisation. All give the same bytes. In the order of abi::kKernelPaths.
enum class KernelPath {
  kVnni,      // AVX512-VNNI dot products
  kAvx2,      // AVX2: products of 16 bits
  kPortable,  // plain C++
  kAmx,       // AMX for convolutions and matrix products, kVnni for the rest
};

/// "amx", "vnni", "avx2", "portable".
[[nodiscard]] std::string_view name_of(KernelPath path) noexcept;
/// Whether this CPU can execute it. For kAmx also asks the system for the right to, which then holds for the process.
[[nodiscard]] bool is_supported(KernelPath path) noexcept;
/// `requested` is the value of NARU_KERNELS, or nullptr (or "") for the best that this CPU supports.
/// kInvalidArgument: not a name of a path, or the CPU does not support it.
[[nodiscard]] Result<KernelPath> choose_kernel_path(const char* requested);

// Where a command's operands are: the address of the operand's first byte. Multi-byte elements need no alignment.
struct ConvPointers {
  const std::byte* input = nullptr;
  const std::byte* weights = nullptr;
  std::byte* output = nullptr;
  const std::byte* partial = nullptr;  // only when start is kPartial
};
struct DepthwisePointers {
  const std::byte* input = nullptr;
  const std::byte* weights = nullptr;
  std::byte* output = nullptr;
};
struct ElementwisePointers {
  const std::byte* a = nullptr;
  const std::byte* b = nullptr;
  std::byte* output = nullptr;
};
/// Table and Curve.
struct TablePointers {
  const std::byte* input = nullptr;
  const std::byte* table = nullptr;
  std::byte* output = nullptr;
};
/// Requantize, Pool, Reduce, Softmax, Pack, Resize and Move.
struct UnaryPointers {
  const std::byte* input = nullptr;
  std::byte* output = nullptr;
};
struct DmaPointers {
  const std::byte* source = nullptr;
  std::byte* target = nullptr;
};
struct FillPointers {
  std::byte* target = nullptr;
};

struct Scratch;
struct KernelTable;
struct Context;

/// The units of one device. Owned by its executor; used by one thread at a time, which may have others compute beside it. All scratch memory is allocated by the constructor
/// (which may throw std::bad_alloc, so open does it); execute() never allocates, blocks or fails.
///
/// The caller has checked the record's fields (types that the command allows, counts of at least 1, zero points and activation bounds inside the
/// output type, activation_min <= activation_max) and that every element the loop nest touches lies in memory that the pointers reach. Nothing
/// outside those elements' bounding box, and no byte after the last element, is read. Everything that cannot be checked beforehand (the bytes of
/// weights and tables) may be anything: sums wrap in 32 bits, a weight record's shift is taken as clamped to [-31, 30], and requantised value
/// plus zero point is clamped without wrapping.
class Units {
 public:
  /// `parallel`: null for this thread alone.
  explicit Units(KernelPath path, std::unique_ptr<Parallel> parallel = nullptr);
  ~Units();
  Units(Units&&) noexcept;
  Units& operator=(Units&&) noexcept;

  [[nodiscard]] KernelPath path() const noexcept { return path_; }

  void execute(const abi::Conv& record, const ConvPointers& at) noexcept;
  void execute(const abi::Depthwise& record, const DepthwisePointers& at) noexcept;
  void execute(const abi::Elementwise& record, const ElementwisePointers& at) noexcept;
  void execute(const abi::Requantize& record, const UnaryPointers& at) noexcept;
  void execute(const abi::Table& record, const TablePointers& at) noexcept;
  void execute(const abi::Pool& record, const UnaryPointers& at) noexcept;
  void execute(const abi::Reduce& record, const UnaryPointers& at) noexcept;
  void execute(const abi::Softmax& record, const UnaryPointers& at) noexcept;
  void execute(const abi::Curve& record, const TablePointers& at) noexcept;
  void execute(const abi::Pack& record, const UnaryPointers& at) noexcept;
  void execute(const abi::Resize& record, const UnaryPointers& at) noexcept;
  void execute(const abi::Move& record, const UnaryPointers& at) noexcept;
  void execute(const abi::Fill& record, const FillPointers& at) noexcept;
  void execute(const abi::Dma& record, const DmaPointers& at) noexcept;

 private:
  KernelPath path_;
  const KernelTable* kernels_;
  std::vector<std::unique_ptr<Scratch>> scratch_;  // of each thread
  std::unique_ptr<Parallel> parallel_;

  template <typename Record, typename Pointers>
  void execute_parts(const Record& record, const Pointers& at, void (*execute)(const Record&, const Pointers&, const Context&) noexcept) noexcept;
};

}  // namespace naru::mockdev
