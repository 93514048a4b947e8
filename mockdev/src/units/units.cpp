// The choice of kernels, and the dispatch of commands to the files that compute them.
#include "units/units.h"

#include <fmt/format.h>

#include "units/conv.h"
#include "units/parts.h"
#include "units/scratch.h"
#include "units/vector.h"

namespace naru::mockdev {
namespace {

constexpr KernelTable kPortableKernels = {.conv_staging = Staging::kI16, .conv_shape = portable::conv_shape, .conv = portable::conv, .sum = portable::sum, .depthwise = portable::depthwise,
                                          .load_terms = portable::load_terms, .finish = portable::finish, .requantize = portable::requantize, .rows = &portable::kRowLoops};
constexpr WideKernels kAvx2Wide = {.bytes = avx2::wide_bytes, .weights = avx2::widen_weights, .stage = avx2::stage_pixels};
constexpr KernelTable kAvx2Kernels = {.conv_staging = Staging::kI16EvenFirst, .conv_starts = true, .conv_shape = avx2::conv_shape, .conv = avx2::conv, .sum = avx2::sum, .depthwise = highway::depthwise,
                                      .load_terms = avx2::load_terms, .finish = avx2::finish, .requantize = highway::requantize, .rows = &avx2::kRowLoops, .depthwise_bytes = avx2::depthwise_bytes, .add_bytes = avx2::add_bytes, .conv_span = avx2::conv_span, .span_pixels = 4,
                                      .stage = {.threes = avx2::stage_threes, .bytes = avx2::stage_bytes}, .wide = &kAvx2Wide};
constexpr KernelTable kVnniKernels = {.conv_staging = Staging::kU8, .conv_starts = true, .conv_shape = vnni::conv_shape, .conv = vnni::conv, .sum = vnni::sum, .depthwise = vnni::depthwise,
                                      .load_terms = vnni::load_terms, .finish = vnni::finish, .requantize = vnni::requantize, .rows = &vnni::kRowLoops, .depthwise_bytes = vnni::depthwise_bytes, .add_bytes = vnni::add_bytes,
                                      .conv_span = vnni::conv_span, .stage = {.threes = vnni::stage_threes}};
constexpr KernelTable with_vbmi(KernelTable kernels) noexcept {
  kernels.rows = &vnni::kVbmiRowLoops;
  return kernels;
}
constexpr KernelTable with_matrix_unit(KernelTable kernels) noexcept {
  kernels.matrix = &amx::kKernels;
  return kernels;
}
constexpr KernelTable kVnniVbmiKernels = with_vbmi(kVnniKernels), kAmxKernels = with_matrix_unit(kVnniVbmiKernels);

constexpr KernelPath kBestFirst[] = {KernelPath::kAmx, KernelPath::kVnni, KernelPath::kAvx2, KernelPath::kPortable};

const KernelTable& kernels_of(KernelPath path) noexcept {
  switch (path) {
    case KernelPath::kAmx: return kAmxKernels;
    case KernelPath::kVnni: return vnni::has_vbmi() ? kVnniVbmiKernels : kVnniKernels;
    case KernelPath::kAvx2: return kAvx2Kernels;
    case KernelPath::kPortable: break;
  }
  return kPortableKernels;
}

}  // namespace

std::string_view name_of(KernelPath path) noexcept {
  switch (path) {
    case KernelPath::kAmx: return "amx";
    case KernelPath::kVnni: return "vnni";
    case KernelPath::kAvx2: return "avx2";
    case KernelPath::kPortable: break;
  }
  return "portable";
}

bool is_supported(KernelPath path) noexcept {
#if defined(__x86_64__)
  __builtin_cpu_init();
  switch (path) {
    case KernelPath::kAmx: return is_supported(KernelPath::kVnni) && amx::is_supported();
    case KernelPath::kVnni:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
    case KernelPath::kAvx2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
    case KernelPath::kPortable: break;
  }
  return true;
#else
  return path == KernelPath::kPortable;
#endif
}

Result<KernelPath> choose_kernel_path(const char* requested) {
  const std::string_view name = requested == nullptr ? "" : requested;
  // Only what may be taken is asked for: a matrix unit has to be requested from the system.
  for (const KernelPath path : kBestFirst)
    if ((name.empty() || name == name_of(path)) && is_supported(path)) return path;
  std::string supported;
  for (const KernelPath path : kBestFirst)
    if (is_supported(path)) supported += fmt::format("{}{}", supported.empty() ? "" : ", ", name_of(path));
  const bool known = std::any_of(std::begin(kBestFirst), std::end(kBestFirst), [&](KernelPath path) { return name == name_of(path); });
  return fail(Error(ErrorId::kInvalidArgument, known ? fmt::format("This CPU cannot execute the kernels \"{}\"", name)
                                                     : fmt::format("There are no kernels named \"{}\"", name))
                  .with_remedy(fmt::format("Leave NARU_KERNELS unset for the best ones, or set it to one of: {}.", supported)));
}

Units::Units(KernelPath path, std::unique_ptr<Parallel> parallel) : path_(path), kernels_(&kernels_of(path)), parallel_(std::move(parallel)) {
  const unsigned threads = parallel_ == nullptr ? 1 : parallel_->threads();
  for (unsigned thread = 0; thread < threads; ++thread) scratch_.push_back(std::make_unique<Scratch>());
}
Units::~Units() = default;
Units::Units(Units&&) noexcept = default;
Units& Units::operator=(Units&&) noexcept = default;

template <typename Record, typename Pointers>
void Units::execute_parts(const Record& record, const Pointers& at, void (*execute)(const Record&, const Pointers&, const Context&) noexcept) noexcept {
  if (parallel_ == nullptr || !is_worth_parts(record)) return execute(record, at, {*kernels_, *scratch_[0]});
  struct Work {
    const Record& record;
    const Pointers& at;
    Units& units;
    void (*execute)(const Record&, const Pointers&, const Context&) noexcept;
    unsigned parts;
  } work{record, at, *this, execute, parallel_->threads()};
  parallel_->run(
      work.parts,
      [](void* context, unsigned part, unsigned thread) {
        const Work& whole = *static_cast<Work*>(context);
        Record own = whole.record;
        Pointers own_at = whole.at;
        if (take_part(own, own_at, part, whole.parts)) whole.execute(own, own_at, {*whole.units.kernels_, *whole.units.scratch_[thread]});
      },
      &work);
}

void Units::execute(const abi::Conv& record, const ConvPointers& at) noexcept { execute_parts(record, at, &execute_conv); }
void Units::execute(const abi::Depthwise& record, const DepthwisePointers& at) noexcept { execute_parts(record, at, &execute_depthwise); }
void Units::execute(const abi::Elementwise& record, const ElementwisePointers& at) noexcept { execute_parts(record, at, &execute_elementwise); }
void Units::execute(const abi::Requantize& record, const UnaryPointers& at) noexcept { execute_requantize(record, at, {*kernels_, *scratch_[0]}); }
void Units::execute(const abi::Table& record, const TablePointers& at) noexcept { execute_table(record, at, {*kernels_, *scratch_[0]}); }
void Units::execute(const abi::Pool& record, const UnaryPointers& at) noexcept { execute_pool(record, at, {*kernels_, *scratch_[0]}); }
void Units::execute(const abi::Reduce& record, const UnaryPointers& at) noexcept { execute_reduce(record, at, {*kernels_, *scratch_[0]}); }
void Units::execute(const abi::Softmax& record, const UnaryPointers& at) noexcept { execute_softmax(record, at, {*kernels_, *scratch_[0]}); }
void Units::execute(const abi::Curve& record, const TablePointers& at) noexcept { execute_curve(record, at); }
void Units::execute(const abi::Pack& record, const UnaryPointers& at) noexcept { execute_pack(record, at); }
void Units::execute(const abi::Resize& record, const UnaryPointers& at) noexcept { execute_resize(record, at); }
void Units::execute(const abi::Move& record, const UnaryPointers& at) noexcept { execute_move(record, at); }
void Units::execute(const abi::Fill& record, const FillPointers& at) noexcept { execute_fill(record, at); }
void Units::execute(const abi::Dma& record, const DmaPointers& at) noexcept { execute_dma(record, at); }

}  // namespace naru::mockdev
