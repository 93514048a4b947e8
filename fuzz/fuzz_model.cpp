// Any bytes as a model (model_target.h), changed by its tables (model_mutator.h).
#include "model_mutator.h"
#include "model_target.h"
#include "target.h"

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t size_max, unsigned seed) {
  return naru::fuzzing::mutate_model(data, size, size_max, seed);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Compiling costs a hundred times what reading does: a share of the accepted models is enough.
  constexpr std::uint64_t kCompileOneIn = 32;
  return naru::fuzzing::judge(naru::fuzzing::check_model(naru::fuzzing::bytes_of(data, size), kCompileOneIn));
}
