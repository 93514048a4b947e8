// Content in, content out: this file knows keys and files, and leaves what a package is to package/.
#include "runtime/cache.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include <fmt/format.h>

#include "compiler_hash.h"
#include "naru/base/file.h"
#include "naru/base/hash.h"
#include "naru/base/log.h"
#include "package/archive.h"
#include "package/codec.h"

namespace naru::sdk::runtime {
namespace {

Sha256 key_of(const detail::ModelHandle& model, const abi::Chip& chip, const compiler::CompileOptions& options) {
  package::Writer writer;
  writer(std::string(NARU_COMPILER_HASH));
  writer(package::kFormatVersion);
  writer.fixed(model.content_sha256);
  writer.fixed(abi::encode(chip));
  writer(model.graph->subgraph);
  writer(options.profile);
  writer(options.fuse);
  writer(options.keep_all_tensors);
  writer(options.resident_weights);
  writer(static_cast<std::uint64_t>(options.keep_tensors.size()));
  for (std::int32_t tensor : options.keep_tensors) writer(tensor);
  return sha256(writer.take());
}

/// The entry, when it is there and holds what its name promises.
std::optional<package::Package> read_entry(const std::string& path, const detail::ModelHandle& model, const abi::Chip& chip) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return std::nullopt;
  const auto refuse = [&](std::string_view why) {
    log(LogLevel::kWarning, "sdk", "the compile cache's {} is not used: {}", path, why);
    return std::nullopt;
  };
  Result<std::vector<std::byte>> bytes = read_file(path);
  if (!bytes) return refuse(bytes.error().message());
  Result<package::Package> package = package::decode(std::make_shared<const std::vector<std::byte>>(std::move(*bytes)));
  if (!package) return refuse(package.error().message());
  if (package->model_sha256 != model.content_sha256 || !(package->advice.chip == chip)) return refuse("it was made from another model, or for another chip");
  return std::move(*package);
}

}  // namespace

Result<package::Package> compile_cached(const detail::ModelHandle& model, const abi::Chip& chip, compiler::CompileOptions options, std::chrono::nanoseconds time_limit) {
  const char* folder = std::getenv("NARU_CACHE");
  std::string path;
  if (folder != nullptr && *folder != '\0') {
    path = fmt::format("{}/{}.naru", folder, hex(key_of(model, chip, options)));
    if (auto entry = read_entry(path, model, chip)) return std::move(*entry);
  }
  if (time_limit.count() != 0)
    options.may_go_on = [begun = std::chrono::steady_clock::now(), time_limit]() -> Result<void> {
      if (std::chrono::steady_clock::now() - begun <= time_limit) return {};
      return fail(ErrorId::kCompileLimit, fmt::format("Compiling takes longer than the {:.0f} ms that it may", static_cast<double>(time_limit.count()) / 1e6));
    };
  NARU_TRY(package::Package package, compiler::compile(*model.graph, chip, options));
  package.model_sha256 = model.content_sha256;
  if (path.empty()) return package;
  std::error_code made;
  std::filesystem::create_directories(folder, made);  // what is wrong with it, writing says
  Result<std::vector<std::byte>> bytes = package::encode(package);
  const Result<void> written = bytes ? write_file(path, *bytes) : fail(std::move(bytes).error());
  if (!written) log(LogLevel::kInfo, "sdk", "the compile cache is not written: {}", written.error().message());
  return package;
}

}  // namespace naru::sdk::runtime
