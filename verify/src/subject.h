// Names a command in errors, so that every refusal says which command, which field and which values.
#pragma once

#include <string>

#include <fmt/format.h>

#include "naru/abi/isa.h"
#include "naru/base/result.h"

namespace naru::verify {

struct Subject {
  std::uint32_t index = 0;  // in the stream
  const abi::Command* command = nullptr;

  /// "Command 17 (conv on mac)".
  [[nodiscard]] std::string text() const {
    return fmt::format("Command {} ({} on {})", index, abi::name_of(command->body), abi::name_of(command->engine));
  }
};

/// "<subject>: <what>", with the command's index, its name and the field as values.
[[nodiscard]] inline Error refusal(ErrorId id, const Subject& subject, std::string_view field, std::string_view what) {
  return Error(id, fmt::format("{}: {}", subject.text(), what))
      .with_value("command", fmt::format("{}", subject.index))
      .with_value("name", std::string(abi::name_of(subject.command->body)))
      .with_value("field", std::string(field));
}

}  // namespace naru::verify
