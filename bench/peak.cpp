// What one core can do at most: the multiply-accumulate instruction of each kernel path, over and over, on registers.
#include <chrono>

#include "layer.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace naru::bench {
namespace {

#if defined(__x86_64__)

constexpr int kRounds = 200'000, kTries = 9;

template <typename Loop>
double best_of(double macs_per_round, Loop&& loop) {
  double best = 0;
  for (int i = 0; i < kTries; ++i) {
    const auto start = std::chrono::steady_clock::now();
    loop();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    const double rate = macs_per_round * kRounds / took.count();
    best = rate > best ? rate : best;
  }
  return best;
}

// Twelve chains hide the latency of the instruction on every CPU that has it (five cycles, two a cycle); the empty statements keep the compiler from doing any of it beforehand.
__attribute__((target("avx512f,avx512bw,avx512vnni"))) void dot_products() {
  __m512i sums[12] = {};
  __m512i inputs = _mm512_set1_epi32(0x01020304), weights = _mm512_set1_epi32(0x04030201);
  for (int i = 0; i < kRounds; ++i) {
    asm volatile("" : "+v"(inputs), "+v"(weights));
#pragma GCC unroll 12
    for (int j = 0; j < 12; ++j) sums[j] = _mm512_dpbusd_epi32(sums[j], inputs, weights);
  }
  for (int j = 0; j < 12; ++j) asm volatile("" ::"v"(sums[j]));
}

// Four sums hide the latency; sixteen rows of 64 inputs times sixteen channels each.
struct alignas(64) TileShapes {
  unsigned char palette = 1, start_row = 0, reserved[14] = {};
  unsigned short row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  unsigned char rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
__attribute__((target("amx-tile,amx-int8"))) void tile_products() {
  const TileShapes shapes;
  asm volatile("ldtilecfg %0" ::"m"(shapes) : "memory");
  for (int i = 0; i < kRounds / 16; ++i)
    asm volatile("tdpbssd %%tmm5, %%tmm4, %%tmm0\n\ttdpbssd %%tmm5, %%tmm4, %%tmm1\n\ttdpbssd %%tmm5, %%tmm4, %%tmm2\n\ttdpbssd %%tmm5, %%tmm4, %%tmm3" ::);
  asm volatile("tilerelease" ::: "memory");
}
bool has_tiles() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (edx >> 24 & 3) == 3 && syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

// The same loop in two widths: intrinsics of one width cannot be called from a template of another target.
#define NARU_PAIR_PRODUCTS(name, attributes, Vector, operand, set, add, multiply)                     \
  attributes void name() {                                                                           \
    Vector sums[8] = {};                                                                              \
    Vector inputs = set(3), weights = set(5);                                                         \
    for (int i = 0; i < kRounds; ++i) {                                                               \
      _Pragma("GCC unroll 8") for (int j = 0; j < 8; ++j) {                                           \
        asm volatile("" : "+" operand(inputs), "+" operand(weights));                                 \
        sums[j] = add(sums[j], multiply(inputs, weights));                                            \
      }                                                                                               \
    }                                                                                                 \
    for (int j = 0; j < 8; ++j) asm volatile("" ::operand(sums[j]));                                  \
  }
NARU_PAIR_PRODUCTS(pair_products, __attribute__((target("avx2"))), __m256i, "x", _mm256_set1_epi16, _mm256_add_epi32, _mm256_madd_epi16)
NARU_PAIR_PRODUCTS(baseline_pair_products, , __m128i, "x", _mm_set1_epi16, _mm_add_epi32, _mm_madd_epi16)
#undef NARU_PAIR_PRODUCTS

#endif

}  // namespace

Peak register_only_peak(const std::string& kernels) {
#if defined(__x86_64__)
  if (kernels == "amx" && has_tiles()) return {"tdpbssd", best_of(4 * 16 * 16 * 64 / 16.0, tile_products)};
  if (kernels == "vnni" && __builtin_cpu_supports("avx512vnni") != 0) return {"vpdpbusd zmm", best_of(12 * 64, dot_products)};
  if (kernels == "avx2" && __builtin_cpu_supports("avx2") != 0) return {"vpmaddwd + vpaddd ymm", best_of(8 * 16, pair_products)};
  if (kernels == "portable") return {"pmaddwd + paddd xmm", best_of(8 * 8, baseline_pair_products)};
#endif
  return {};
}

}  // namespace naru::bench
