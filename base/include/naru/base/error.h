// Errors as values: what failed, with numbers, and what to do about it. Every fallible entry point of Naru returns Result<T>.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "naru/base/error_ids.h"
#include "naru/base/export.h"

namespace naru {

/// One failure. Cheap to move (one pointer), so that Result<T> costs nothing on the fast path.
/// Thread: a value; copies share immutable data until one of them is changed.
class NARU_API Error {
 public:
  struct Value {
    std::string name;
    std::string value;
  };

  /// `message` is one headline in the present tense, with its values, without a trailing period.
  /// Kind and the default remedy come from the id's row in kErrorTable.
  Error(ErrorId id, std::string message);

  [[nodiscard]] ErrorId id() const noexcept;
  [[nodiscard]] ErrorKind kind() const noexcept;
  /// "NARU-0312".
  [[nodiscard]] std::string id_text() const;
  [[nodiscard]] const std::string& message() const noexcept;
  /// What the reader should do next; never empty.
  [[nodiscard]] const std::string& remedy() const noexcept;
  /// Innermost first: "tiling conv2d \"stem\"".
  [[nodiscard]] std::span<const std::string> context() const noexcept;
  [[nodiscard]] std::span<const Value> values() const noexcept;

  /// Adds an outer "while ..." line. Returns *this, so that it chains.
  Error& while_doing(std::string what) &;
  Error&& while_doing(std::string what) &&;
  Error&& with_remedy(std::string remedy) &&;
  Error&& with_value(std::string name, std::string value) &&;
  /// The headline with where it was found in front: "model.tflite: The file is ...".
  Error&& found_in(std::string_view where) &&;
  /// Same failure under another kind's consequences: e.g. a file that is not found is not a device that is not found.
  Error&& with_kind(ErrorKind kind) &&;

  /// The headline and its remedy; with `verbose`, also the chain of "while" and the values. Several lines, no trailing newline.
  [[nodiscard]] std::string to_string(bool verbose = false) const;

 private:
  struct Data;
  Data& own();
  std::shared_ptr<Data> data_;
};

/// The process exit code of an error kind; the table stands in docs/spec/errors.md.
[[nodiscard]] NARU_API int exit_code(ErrorKind kind) noexcept;
[[nodiscard]] NARU_API std::string_view to_string(ErrorKind kind) noexcept;

}  // namespace naru
