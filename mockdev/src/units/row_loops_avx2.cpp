// The row loops for AVX2.
#include "units/row_loops.h"

#include "units/kernels.h"
#include "units/target.h"

NARU_BEGIN_TARGET("avx2")
namespace naru::mockdev::avx2 {
namespace {
#include "units/row_loops_inl.h"
}  // namespace

constinit const RowLoops kRowLoops = kLoops;

}  // namespace naru::mockdev::avx2
NARU_END_TARGET
