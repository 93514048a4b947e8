// Any bytes as a package (package_target.h), changed by its sections (package_mutator.h).
#include "package_mutator.h"
#include "package_target.h"
#include "target.h"

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t size_max, unsigned seed) {
  return naru::fuzzing::mutate_package(data, size, size_max, seed);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return naru::fuzzing::judge(naru::fuzzing::check_package(naru::fuzzing::bytes_of(data, size)));
}
