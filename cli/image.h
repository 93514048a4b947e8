// PNG, BMP and PPM files as input tensors.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "naru/naru.h"

namespace naru::cli {

struct Normalization {
  std::optional<double> mean, std;
};

/// Whether the file's first bytes say PNG, BMP or PPM/PGM. A file of just `raw_bytes`, the size of the raw tensors that are wanted, must have a whole header.
[[nodiscard]] bool is_image(const std::vector<std::byte>& bytes, std::uint64_t raw_bytes);

/// The tensor's bytes for an image of exactly its height, width and channels (1, 3 or 4; NHWC or, when the last dimension is no channel count, HW).
/// With mean and std the real value is (pixel - mean) / std, quantised as the tensor says. Without, codes are pixels: uint8 as they are, int8 as
/// pixel - 128; other types need the flags. Sizes are never changed. kImageFormat says what does not fit.
[[nodiscard]] Result<std::vector<std::byte>> image_to_tensor(const std::vector<std::byte>& file, const TensorInfo& info, const Normalization& normalization,
                                                             const std::string& path);

/// An image-shaped tensor as text, two characters a pixel, dark to bright. Empty when it is not image-shaped or too wide for a terminal.
[[nodiscard]] std::string draw(const TensorView& tensor);

}  // namespace naru::cli
