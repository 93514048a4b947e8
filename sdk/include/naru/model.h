// A model: either a source (.tflite) or a compiled package (.naru). Immutable once loaded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "naru/base/result.h"
#include "naru/tensor.h"

namespace naru {

namespace detail {
struct ModelHandle;
}

/// A shared, immutable handle: copies are cheap. Thread: any number may read.
class NARU_API Model {
 public:
  /// Reads a .tflite model or a package; everything in it is verified before it is used, and what becomes of the file afterwards is of no matter. Errors 01xx (file), 02xx (model), 05xx (package).
  /// `signature` picks one of a .tflite model's signatures and with it the subgraph that runs; empty: the first subgraph. kInvalidArgument: there is none
  /// of that key, or the file is a package, which holds one subgraph.
  [[nodiscard]] static Result<Model> load(const std::string& path, const std::string& signature = {});
  [[nodiscard]] static Result<Model> from_bytes(std::span<const std::byte> bytes, std::string name = "model", const std::string& signature = {});

  [[nodiscard]] const std::string& name() const noexcept;
  [[nodiscard]] bool is_compiled() const noexcept;
  [[nodiscard]] const std::vector<TensorInfo>& inputs() const noexcept;
  [[nodiscard]] const std::vector<TensorInfo>& outputs() const noexcept;

  /// Writes a compiled model as a package. kWrongThreadOrState for a source: compile() it first.
  [[nodiscard]] Result<void> save(const std::string& path) const;
  [[nodiscard]] Result<std::vector<std::byte>> to_bytes() const;

  /// For Naru's own layers.
  explicit Model(std::shared_ptr<const detail::ModelHandle> handle) noexcept : handle_(std::move(handle)) {}
  [[nodiscard]] const std::shared_ptr<const detail::ModelHandle>& handle() const noexcept { return handle_; }

 private:
  std::shared_ptr<const detail::ModelHandle> handle_;
};

}  // namespace naru
