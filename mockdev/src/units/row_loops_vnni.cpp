// The row loops for AVX-512, and a table look-up for those CPUs that permute bytes of two vectors.
#include "units/row_loops.h"

#include "units/kernels.h"
#include "units/target.h"
#include "units/vnni.h"

NARU_BEGIN_TARGET("avx512f,avx512bw,avx512dq,avx512vl")
namespace naru::mockdev::vnni {
namespace {
#include "units/row_loops_inl.h"
}  // namespace

constinit const RowLoops kRowLoops = kLoops;

}  // namespace naru::mockdev::vnni
NARU_END_TARGET

namespace naru::mockdev::vnni {
namespace {

#if defined(__x86_64__)
__attribute__((target("avx512f,avx512bw,avx512vbmi"))) void look_up_by_permuting(const std::byte* table, const std::byte* input, std::byte* output, std::size_t count) noexcept {
  __m512i part[4];
  for (std::size_t i = 0; i < 4; ++i) part[i] = _mm512_loadu_si512(table + 64 * i);
  for (std::size_t i = 0; i < count; i += 64) {
    const __mmask64 lanes = count - i >= 64 ? ~__mmask64{0} : (__mmask64{1} << (count - i)) - 1;
    const __m512i codes = _mm512_maskz_loadu_epi8(lanes, input + i);
    const __m512i lower = _mm512_permutex2var_epi8(part[0], codes, part[1]), upper = _mm512_permutex2var_epi8(part[2], codes, part[3]);
    _mm512_mask_storeu_epi8(output + i, lanes, _mm512_mask_blend_epi8(_mm512_movepi8_mask(codes), lower, upper));
  }
}
#else
constexpr auto look_up_by_permuting = look_up;
#endif

constexpr RowLoops with_vbmi() noexcept {
  RowLoops loops = kLoops;
  loops.look_up = look_up_by_permuting;
  return loops;
}

}  // namespace

constinit const RowLoops kVbmiRowLoops = with_vbmi();

bool has_vbmi() noexcept {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512vbmi") != 0;
#else
  return false;
#endif
}

}  // namespace naru::mockdev::vnni
