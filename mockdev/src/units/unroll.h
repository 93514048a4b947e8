// NARU_UNROLL before a loop of constant count over an array of vectors: unrolls it fully, so that the array lives in registers.
// (g++ 12 takes no template parameter in its pragma, so the count is simply more than any array here has.)
#pragma once

#if defined(__clang__)
#define NARU_UNROLL _Pragma("unroll")
#else
#define NARU_UNROLL _Pragma("GCC unroll 16")
#endif
