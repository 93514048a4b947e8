// The project's own model and its sample digits, whose class is their name.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "naru/base/file.h"
#include "naru/naru.h"

namespace naru {

inline const std::string kDigits = NARU_SOURCE_DIR "/models/digits/";

inline Model digits_model() { return Model::load(kDigits + "digits.tflite").value(); }
inline std::vector<std::byte> digit(int number) { return read_file(kDigits + "samples/digit" + std::to_string(number) + ".bin").value(); }
inline void fill(Session& session, int number) { ASSERT_TRUE(session.input(0).fill_from(std::span<const std::byte>(digit(number)))); }
inline std::size_t best(const Outputs& outputs) { return top(outputs.at(0), 1).at(0).index; }

}  // namespace naru
