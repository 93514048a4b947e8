// Which instruction sets Highway compiles the kernels for: AVX2, as the path is named, and nothing older or newer. Include before foreach_target.h.
#ifndef NARU_MOCKDEV_UNITS_HIGHWAY_TARGETS_H
#define NARU_MOCKDEV_UNITS_HIGHWAY_TARGETS_H

#include <hwy/detect_targets.h>

#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3 | HWY_AVX3_DL)

#endif
