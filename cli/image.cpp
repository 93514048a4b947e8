// Decodes images through stb, checks their size against the tensor, and applies the normalisation that was asked for.
#include "image.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>
#include <memory>

#include <fmt/format.h>

#include "text.h"

#define STB_IMAGE_IMPLEMENTATION
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
#define STBI_ONLY_PNM
#define STBI_NO_STDIO
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb/stb_image.h>
#pragma GCC diagnostic pop

namespace naru::cli {
namespace {

struct Size {
  int height = 0, width = 0, channels = 0;
};

std::optional<Size> image_size(const TensorInfo& info) {
  std::vector<std::int32_t> shape = info.shape;
  while (shape.size() > 2 && shape.front() == 1) shape.erase(shape.begin());
  if (shape.size() == 3 && (shape[2] == 1 || shape[2] == 3 || shape[2] == 4)) return Size{shape[0], shape[1], shape[2]};
  if (shape.size() == 2) return Size{shape[0], shape[1], 1};
  return std::nullopt;
}

Error not_image_shaped(const TensorInfo& info, const std::string& path) {
  return Error(ErrorId::kImageFormat, fmt::format("{} is an image, but input \"{}\" ({}) is not image-shaped", path, info.name, shape_text(info)))
      .with_remedy(fmt::format("Give its {} bytes as a raw little-endian tensor.", info.bytes));
}

}  // namespace

bool is_image(const std::vector<std::byte>& bytes, std::uint64_t raw_bytes) {
  const auto starts = [&](std::string_view magic) { return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0; };
  const auto starts_portable = [&] { return bytes.size() > 2 && (starts("P5") || starts("P6")) && std::isspace(std::to_integer<unsigned char>(bytes[2])) != 0; };
  if (!starts("\x89PNG\r\n\x1a\n") && !starts("BM") && !starts_portable()) return false;
  // Two bytes are little: a tensor of the right size may begin with them as well.
  int width = 0, height = 0, channels = 0;
  return bytes.size() != raw_bytes || (stbi_info_from_memory(reinterpret_cast<const stbi_uc*>(bytes.data()), static_cast<int>(std::min<std::size_t>(bytes.size(), INT32_MAX)), &width, &height, &channels) != 0 && width > 0 && height > 0);
}

Result<std::vector<std::byte>> image_to_tensor(const std::vector<std::byte>& file, const TensorInfo& info, const Normalization& normalization,
                                               const std::string& path) {
  const std::optional<Size> size = image_size(info);
  if (!size) return fail(not_image_shaped(info, path));
  if (file.size() > static_cast<std::size_t>(INT32_MAX)) return fail(ErrorId::kImageFormat, fmt::format("{} is too large for an image", path));
  int width = 0, height = 0, file_channels = 0;
  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load_from_memory(reinterpret_cast<const stbi_uc*>(file.data()), static_cast<int>(file.size()), &width, &height, &file_channels, size->channels), stbi_image_free);
  if (!pixels || width < 1 || height < 1) return fail(ErrorId::kImageFormat, fmt::format("{} begins as an image and cannot be decoded: it is damaged or cut short (the decoder says: {})", path, pixels ? "no pixels" : stbi_failure_reason()));
  if (width != size->width || height != size->height) {
    // A matrix of one row, as of audio features: nobody has a picture of it.
    if (size->height == 1 || size->width == 1) return fail(not_image_shaped(info, path));
    return fail(Error(ErrorId::kImageFormat, fmt::format("{} has {}x{} pixels; input \"{}\" needs {}x{}", path, width, height, info.name, size->width, size->height))
                    .with_remedy(fmt::format("Scale the image to {}x{} pixels (width x height) first.", size->width, size->height)));
  }
  const std::size_t count = static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * static_cast<std::size_t>(size->channels);
  std::vector<std::byte> bytes(info.bytes);
  MutableTensorView view(info, bytes);
  if (normalization.mean || normalization.std) {
    const double mean = normalization.mean.value_or(0), std = normalization.std.value_or(1);
    if (!std::isfinite(mean) || !std::isfinite(std) || std <= 0) return fail(ErrorId::kInvalidArgument, fmt::format("--mean is {} and --std {}; both must be finite, --std over 0", mean, std));
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>((pixels.get()[i] - mean) / std);
    NARU_CHECK_OK(view.fill_from_float(values));
    return bytes;
  }
  if (info.type != DataType::kUint8 && info.type != DataType::kInt8)
    return fail(ErrorId::kImageFormat, fmt::format("Input \"{}\" is {}; an image needs --mean and --std for it", info.name, to_string(info.type)));
  const unsigned flip = info.type == DataType::kInt8 ? 0x80 : 0;
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(pixels.get()[i] ^ flip);
  return bytes;
}

std::string draw(const TensorView& tensor) {
  const std::optional<Size> size = image_size(tensor.info());
  if (!size || size->width > 60 || size->width < 4 || size->height < 4) return {};
  const std::vector<float> values = tensor.to_float();
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const float range = std::max(*high - *low, 1e-9F);
  constexpr std::string_view kShades = " .:-=+*#%@";
  std::string text;
  for (int y = 0; y < size->height; ++y) {
    text += "    ";
    for (int x = 0; x < size->width; ++x) {
      float sum = 0;
      for (int c = 0; c < size->channels; ++c) sum += values[static_cast<std::size_t>((y * size->width + x) * size->channels + c)] - *low;
      const float bright = sum / (range * static_cast<float>(size->channels));
      const char shade = kShades[std::min<std::size_t>(kShades.size() - 1, static_cast<std::size_t>(bright * static_cast<float>(kShades.size())))];
      text += shade;
      text += shade;
    }
    text.erase(text.find_last_not_of(' ') + 1);
    text += '\n';
  }
  return text;
}

}  // namespace naru::cli
