// Streams as text, from the same field lists that encode them.
#include <fmt/format.h>

#include "naru/abi/stream.h"

namespace naru::abi {
namespace {

template <typename T>
void append_value(std::string& text, const T& value) {
  if constexpr (std::is_same_v<T, Operand>) {
    text += fmt::format("r{}+{}", value.region(), value.offset());
  } else if constexpr (std::is_same_v<T, Engine> || std::is_same_v<T, ElementType>) {
    text += name_of(value);
  } else if constexpr (is_std_array<T>::value) {
    text += '[';
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (i != 0) text += ',';
      append_value(text, value[i]);
    }
    text += ']';
  } else if constexpr (std::is_enum_v<T>) {
    text += fmt::format("{}", static_cast<unsigned>(value));
  } else {
    text += fmt::format("{}", value);
  }
}

template <typename T>
void append_fields(std::string& text, const T& record) {
  const auto append = [&](const auto& field) {
    const auto& value = record.*field.member;
    if constexpr (!is_reserved<std::remove_cvref_t<decltype(value)>>::value) {
      text += fmt::format(" {}=", field.name);
      append_value(text, value);
    }
  };
  std::apply([&](const auto&... field) { (append(field), ...); }, T::fields());
}

}  // namespace

std::string disassemble(const Command& command) {
  std::string text = std::holds_alternative<End>(command.body) ? "end" : fmt::format("{:<11} @{:<6}", name_of(command.body), name_of(command.engine));
  std::visit([&](const auto& record) { append_fields(text, record); }, command.body);
  if (is_counted(command.body)) text += fmt::format("  ; operator {}", command.source);
  return text;
}

std::string disassemble(const Stream& stream) {
  std::string text;
  for (std::size_t i = 0; i < stream.regions.size(); ++i) {
    const RegionDeclaration& region = stream.regions[i];
    text += fmt::format("region r{} {} {}{} {} bytes\n", i, region.memory == MemoryKind::kSram ? "sram" : "dram",
                        includes(region.rights, Rights::kRead) ? "r" : "-", includes(region.rights, Rights::kWrite) ? "w" : "-", region.bytes);
  }
  std::array<std::uint32_t, kEnginesMax> retired{};
  for (std::size_t i = 0; i < stream.commands.size(); ++i) {
    const Command& command = stream.commands[i];
    const bool counted = is_counted(command.body) && index_of(command.engine) < kEnginesMax;
    const std::string count = counted ? fmt::format("#{}", ++retired[index_of(command.engine)]) : "";
    text += fmt::format("{:6} {:>6} {}\n", i, count, disassemble(command));
  }
  return text;
}

}  // namespace naru::abi
