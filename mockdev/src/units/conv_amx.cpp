// Matrix tiles by AMX: sixteen pixels times sixteen channels over up to 64 inputs per instruction, on weights as they lie in the SRAM and inputs where they are.
// In assembly, because the compilers' intrinsics take tile numbers as text and tell the optimiser nothing of the memory that a tile load reads.
#include "units/kernels.h"
#include "units/unroll.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NARU_AMX_INLINE __attribute__((target("amx-tile,amx-int8"), always_inline)) inline
#define NARU_TARGET_AMX __attribute__((target("amx-tile,amx-int8")))
#endif

namespace naru::mockdev::amx {

#if defined(__x86_64__)
namespace {

/// 64 bytes that LDTILECFG takes: palette 1 has eight tiles of at most sixteen rows of 64 bytes.
struct alignas(64) TileShapes {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t rows[16] = {};
};
static_assert(sizeof(TileShapes) == 64);

constexpr std::size_t kBlockBytes = kBlock * sizeof(std::int32_t);  // of one pixel's sums
constexpr std::size_t kWeightsRowBytes = kBlock * kGroup;

// Tiles 0 to 3 are sums. Of inputs and weights there are two each: with a rest, the second one has the rest's shape.
constexpr int kInputs = 4, kOtherInputs = 5, kWeights = 6, kOtherWeights = 7;

template <int kTile>
NARU_AMX_INLINE void load_rows(const std::byte* from, std::size_t row_stride) noexcept {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(row_stride), "i"(kTile) : "memory");
}
template <int kTile>
NARU_AMX_INLINE void load_weights(const std::byte* from) noexcept {
  asm volatile("tileloaddt1 (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(kWeightsRowBytes), "i"(kTile) : "memory");
}
template <int kTile>
NARU_AMX_INLINE void store_rows(std::byte* to, std::size_t row_stride) noexcept {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(row_stride), "i"(kTile) : "memory");
}
/// Tile kSum += tile kA (inputs) times tile kB (weights).
template <bool kSigned, int kSum, int kA, int kB>
NARU_AMX_INLINE void add_product() noexcept {
  if constexpr (kSigned) {
    asm volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kSum), "i"(kA), "i"(kB));
  } else {
    asm volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kSum), "i"(kA), "i"(kB));
  }
}

/// One step of the reduction for all sums: kTiles tiles of inputs, kBlocks blocks of weights. With two of each, both inputs stay while the weights change when
/// there is a second tile for them (kBothInputs), else one is loaded twice: loads have room beside the products.
template <bool kSigned, int kTiles, int kBlocks, int kIn, int kW, bool kBothInputs>
NARU_AMX_INLINE void step(const std::byte* const (&pixel)[2], std::size_t pixel_step, const std::byte* weights, std::size_t block_bytes) noexcept {
  load_weights<kW>(weights);
  load_rows<kIn>(pixel[0], pixel_step);
  add_product<kSigned, 0, kIn, kW>();
  if constexpr (kTiles == 2 && kBlocks == 2 && kBothInputs) {
    load_rows<kOtherInputs>(pixel[1], pixel_step);
    add_product<kSigned, 2, kOtherInputs, kW>();
    load_weights<kOtherWeights>(weights + block_bytes);
    add_product<kSigned, 1, kIn, kOtherWeights>();
    add_product<kSigned, 3, kOtherInputs, kOtherWeights>();
  } else if constexpr (kTiles == 2) {
    if constexpr (kBlocks == 2) {
      load_weights<kW>(weights + block_bytes);
      add_product<kSigned, 1, kIn, kW>();
    }
    load_rows<kIn>(pixel[1], pixel_step);
    if constexpr (kBlocks == 2) {
      add_product<kSigned, 3, kIn, kW>();
      load_weights<kW>(weights);
    }
    add_product<kSigned, 2, kIn, kW>();
  } else {
    if constexpr (kBlocks > 1) load_weights<kW>(weights + block_bytes), add_product<kSigned, 1, kIn, kW>();
    if constexpr (kBlocks > 2) load_weights<kW>(weights + 2 * block_bytes), add_product<kSigned, 2, kIn, kW>();
    if constexpr (kBlocks > 3) load_weights<kW>(weights + 3 * block_bytes), add_product<kSigned, 3, kIn, kW>();
  }
}

template <bool kSigned, int kTiles, int kBlocks, bool kRest>
NARU_TARGET_AMX void multiply_as(const MatrixTile& tile) noexcept {
  // Every row begins with the same sixteen values.
  const auto* const start = reinterpret_cast<const std::byte*>(tile.start);
  load_rows<0>(start, 0);
  if constexpr (kBlocks > 1) load_rows<1>(start + kBlockBytes, 0);
  if constexpr (kTiles == 2) {
    load_rows<2>(start, 0);
    if constexpr (kBlocks > 1) load_rows<3>(start + kBlockBytes, 0);
  } else {
    if constexpr (kBlocks > 2) load_rows<2>(start + 2 * kBlockBytes, 0);
    if constexpr (kBlocks > 3) load_rows<3>(start + 3 * kBlockBytes, 0);
  }
  const std::size_t pixel_step = tile.pixel_step, block_bytes = tile.block_bytes;
  const std::uint32_t rest = tile.segment_bytes % kMatrixDepth, steps = tile.segment_bytes / kMatrixDepth;
  const std::byte* weights = tile.weights;
  for (std::uint32_t segment = 0; segment < tile.segment_count; ++segment) {
    const std::byte* pixel[2] = {tile.pixel[0] + tile.segment_offset[segment], tile.pixel[1] + tile.segment_offset[segment]};
    for (std::uint32_t i = 0; i < steps; ++i) {
      step<kSigned, kTiles, kBlocks, kInputs, kWeights, !kRest>(pixel, pixel_step, weights, block_bytes);
      pixel[0] += kMatrixDepth, pixel[1] += kMatrixDepth, weights += kMatrixDepth * kBlock;
    }
    if constexpr (kRest) {
      step<kSigned, kTiles, kBlocks, kOtherInputs, kOtherWeights, false>(pixel, pixel_step, weights, block_bytes);
      weights += rest * kBlock;
    }
  }
  const std::size_t sums_step = tile.sums_step;
  store_rows<0>(tile.sums[0], sums_step);
  if constexpr (kBlocks > 1) store_rows<1>(tile.sums[0] + kBlockBytes, sums_step);
  if constexpr (kTiles == 2) {
    store_rows<2>(tile.sums[1], sums_step);
    if constexpr (kBlocks > 1) store_rows<3>(tile.sums[1] + kBlockBytes, sums_step);
  } else {
    if constexpr (kBlocks > 2) store_rows<2>(tile.sums[0] + 2 * kBlockBytes, sums_step);
    if constexpr (kBlocks > 3) store_rows<3>(tile.sums[0] + 3 * kBlockBytes, sums_step);
  }
}

template <bool kSigned, bool kRest>
void choose_shape(const MatrixTile& tile) noexcept {
  if (tile.tiles == 2) return tile.blocks == 2 ? multiply_as<kSigned, 2, 2, kRest>(tile) : multiply_as<kSigned, 2, 1, kRest>(tile);
  switch (tile.blocks) {
    case 1: return multiply_as<kSigned, 1, 1, kRest>(tile);
    case 2: return multiply_as<kSigned, 1, 2, kRest>(tile);
    case 3: return multiply_as<kSigned, 1, 3, kRest>(tile);
    default: return multiply_as<kSigned, 1, 4, kRest>(tile);
  }
}

NARU_TARGET_AMX void begin(std::uint32_t pixels, std::uint32_t segment_bytes) noexcept {
  const std::uint32_t rest = segment_bytes % kMatrixDepth;
  TileShapes shapes;
  for (int i = 0; i < 8; ++i) shapes.row_bytes[i] = kMatrixDepth, shapes.rows[i] = static_cast<std::uint8_t>(pixels);
  shapes.rows[kWeights] = shapes.rows[kOtherWeights] = kMatrixDepth / kGroup;
  if (rest != 0) {
    shapes.row_bytes[kOtherInputs] = static_cast<std::uint16_t>(rest);
    shapes.rows[kOtherWeights] = static_cast<std::uint8_t>(rest / kGroup);
  }
  asm volatile("ldtilecfg %0" ::"m"(shapes) : "memory");
}

void multiply(const MatrixTile& tile) noexcept {
  const bool rest = tile.segment_bytes % kMatrixDepth != 0;
  if (tile.is_signed) return rest ? choose_shape<true, true>(tile) : choose_shape<true, false>(tile);
  return rest ? choose_shape<false, true>(tile) : choose_shape<false, false>(tile);
}

/// The tiles' 8 KiB need not be saved at every switch of threads any more.
NARU_TARGET_AMX void end() noexcept { asm volatile("tilerelease" ::: "memory"); }

}  // namespace

const MatrixKernels kKernels = {begin, multiply, end};

bool is_supported() noexcept {
  constexpr unsigned kTileBit = 1U << 24, kInt8Bit = 1U << 25;  // CPUID leaf 7, EDX
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0 || (edx & kTileBit) == 0 || (edx & kInt8Bit) == 0) return false;
  // Linux gives the tiles' state to processes that ask for it; one answer holds for all threads, for good.
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  static const bool granted = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return granted;
}

#else  // never chosen

const MatrixKernels kKernels = {nullptr, nullptr, nullptr};
bool is_supported() noexcept { return false; }

#endif

}  // namespace naru::mockdev::amx
