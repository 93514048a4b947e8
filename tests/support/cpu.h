// What this machine's CPU can execute, asked of the CPU itself: a kernel path that it lacks is skipped with a reason, never passed over in silence.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <gtest/gtest.h>

namespace naru::testing {

inline bool cpu_executes(std::string_view kernels) {
#if defined(__x86_64__)
  if (kernels == "amx") {
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    return cpu_executes("vnni") && __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (edx >> 24 & 3) == 3 &&  // AMX-TILE, AMX-INT8
           ::syscall(SYS_arch_prctl, 0x1023, 18) == 0;  // and the system lets the process have the tiles
  }
#endif
  if (kernels == "vnni") {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vnni");
  }
  if (kernels == "avx2") return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  return true;
}

/// All that it executes, the fastest first.
inline std::vector<std::string> executable_kernels() {
  std::vector<std::string> all;
  for (const char* kernels : {"amx", "vnni", "avx2", "portable"})
    if (cpu_executes(kernels)) all.emplace_back(kernels);
  return all;
}

}  // namespace naru::testing

#define NARU_REQUIRE_KERNELS(kernels) \
  if (!naru::testing::cpu_executes(kernels)) GTEST_SKIP() << "this CPU cannot execute the kernels \"" << (kernels) << '"'
