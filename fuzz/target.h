// A finding as libFuzzer wants it: the process ends, and the input is kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t size_max);

namespace naru::fuzzing {

inline std::span<const std::byte> bytes_of(const std::uint8_t* data, std::size_t size) { return {reinterpret_cast<const std::byte*>(data), size}; }

inline int judge(const std::string& broken) {
  if (broken.empty()) return 0;
  std::fprintf(stderr, "finding: %s\n", broken.c_str());
  std::abort();
}

}  // namespace naru::fuzzing
