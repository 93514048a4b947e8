// Writes the files that the fuzzers start from: make_seeds CORPUS fills CORPUS/fuzz_model, CORPUS/fuzz_package and CORPUS/fuzz_stream with seed_*. 1: a seed is refused.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "compiler/compiler.h"
#include "import/tflite/import.h"
#include "naru/profile/profile.h"
#include "package/codec.h"
#include "seed_models.h"
#include "verify/sample_streams.h"

namespace {

void write(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "Usage: make_seeds CORPUS\n");
    return 2;
  }
  using namespace naru;  // NOLINT
  const std::filesystem::path corpus = arguments[1];
  const abi::Chip tiny = profile::load("tiny").value().chip;
  write(corpus / "fuzz_stream" / "seed_one_of_each", abi::encode_stream(test::one_of_each()));
  int refused = 0;
  for (const auto& [name, bytes] : fuzzing::seed_models()) {
    write(corpus / "fuzz_model" / ("seed_" + name), *bytes);
    const auto graph = sdk::import_tflite(bytes);
    if (!graph) {
      std::printf("%s is refused: %s\n", name.c_str(), graph.error().to_string().c_str());
      ++refused;
      continue;
    }
    const auto package = sdk::compiler::compile(*graph, tiny, {.profile = "tiny", .keep_tensors = {}, .resident_weights = true});
    if (package) write(corpus / "fuzz_package" / ("seed_" + name), sdk::package::encode(*package));
    else std::printf("%s does not compile: %s\n", name.c_str(), package.error().to_string().c_str());
  }
  return refused == 0 ? 0 : 1;
}
