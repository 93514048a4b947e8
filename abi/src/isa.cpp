// Names of the instruction set's vocabulary.
#include "naru/abi/isa.h"

namespace naru::abi {

std::string_view name_of(Engine engine) noexcept {
  switch (engine) {
    case Engine::kMac: return "mac";
    case Engine::kVector: return "vector";
    case Engine::kDma0: return "dma0";
    case Engine::kDma1: return "dma1";
    case Engine::kDma2: return "dma2";
    case Engine::kDma3: return "dma3";
    case Engine::kNone: return "none";
  }
  return "unknown";
}

std::string_view name_of(ElementType type) noexcept {
  switch (type) {
    case ElementType::kNone: return "none";
    case ElementType::kI8: return "i8";
    case ElementType::kU8: return "u8";
    case ElementType::kI16: return "i16";
    case ElementType::kI32: return "i32";
    case ElementType::kF32: return "f32";
    case ElementType::kI64: return "i64";
    case ElementType::kBool: return "bool";
  }
  return "unknown";
}

std::string_view name_of(const CommandBody& body) noexcept {
  return std::visit([](const auto& record) { return std::remove_cvref_t<decltype(record)>::kName; }, body);
}

bool is_counted(const CommandBody& body) noexcept {
  return !std::holds_alternative<End>(body) && !std::holds_alternative<Wait>(body) && !std::holds_alternative<Mark>(body);
}

}  // namespace naru::abi
