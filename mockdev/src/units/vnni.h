// What the AVX512-VNNI files share: the target attribute of their functions. Include only from *_vnni.cpp.
#pragma once

#include "units/unroll.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define NARU_TARGET_VNNI __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
/// After a lambda's parameters.
#define NARU_VNNI_LAMBDA NARU_TARGET_VNNI __attribute__((always_inline))
#define NARU_VNNI_INLINE NARU_VNNI_LAMBDA inline
#endif
