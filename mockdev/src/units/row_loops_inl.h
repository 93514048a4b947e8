// The text of the loops of row_loops.h. Included once by each row_loops_*.cpp inside an unnamed namespace of its path's, with its target in force, and vectorised by the compiler. Of other
// headers it calls only what is inlined and has no loop: a template of theirs that is first needed here is compiled for this target, and the linker may give it to everybody.

template <typename T>
void load_as(const std::byte* from, std::uint64_t stride, std::size_t count, std::int32_t* values) noexcept {
  if (stride == sizeof(T)) {
    for (std::size_t i = 0; i < count; ++i) values[i] = naru::mockdev::load<T>(from + i * sizeof(T));
  } else if (stride == 0) {
    const std::int32_t value = naru::mockdev::load<T>(from);
    for (std::size_t i = 0; i < count; ++i) values[i] = value;
  } else {
    for (std::size_t i = 0; i < count; ++i) values[i] = naru::mockdev::load<T>(from + i * stride);
  }
}

void load(const std::byte* from, std::uint64_t stride, abi::ElementType type, std::size_t count, std::int32_t* values) noexcept {
  switch (type) {
    case abi::ElementType::kI8: load_as<std::int8_t>(from, stride, count, values); break;
    case abi::ElementType::kU8: load_as<std::uint8_t>(from, stride, count, values); break;
    case abi::ElementType::kI16: load_as<std::int16_t>(from, stride, count, values); break;
    default: load_as<std::int32_t>(from, stride, count, values); break;
  }
}

template <typename T>
void store_as(std::byte* to, std::uint64_t stride, std::size_t count, const std::int32_t* values) noexcept {
  if (stride == sizeof(T)) {
    for (std::size_t i = 0; i < count; ++i) naru::mockdev::store(to + i * sizeof(T), static_cast<T>(values[i]));
  } else {
    for (std::size_t i = 0; i < count; ++i) naru::mockdev::store(to + i * stride, static_cast<T>(values[i]));
  }
}

void store(std::byte* to, std::uint64_t stride, abi::ElementType type, std::size_t count, const std::int32_t* values) noexcept {
  switch (abi::element_bytes(type)) {
    case 1: store_as<std::uint8_t>(to, stride, count, values); break;
    case 2: store_as<std::uint16_t>(to, stride, count, values); break;
    default: store_as<std::int32_t>(to, stride, count, values); break;
  }
}

void shift(std::int32_t* values, std::size_t count, std::int32_t zero, std::int32_t left_shift) noexcept {
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<std::int32_t>(static_cast<std::uint32_t>(wrap_sub(values[i], zero)) << left_shift);
}

void combine(const abi::Elementwise& record, std::int32_t* a, const std::int32_t* b, std::size_t count) noexcept {
  const std::int32_t lowest = record.activation_min, highest = record.activation_max, a_zero = record.a_zero, b_zero = record.b_zero;
  switch (record.op) {
    case abi::ElementwiseOp::kMinimum:
      for (std::size_t i = 0; i < count; ++i) a[i] = std::min(std::max(std::min(a[i], b[i]), lowest), highest);
      break;
    case abi::ElementwiseOp::kMaximum:
      for (std::size_t i = 0; i < count; ++i) a[i] = std::min(std::max(std::max(a[i], b[i]), lowest), highest);
      break;
    case abi::ElementwiseOp::kMul:
      for (std::size_t i = 0; i < count; ++i) a[i] = wrap_mul(wrap_sub(a[i], a_zero), wrap_sub(b[i], b_zero));
      break;
    case abi::ElementwiseOp::kAdd:
      for (std::size_t i = 0; i < count; ++i) a[i] = wrap_add(a[i], b[i]);
      break;
    case abi::ElementwiseOp::kSquaredDifference:
      for (std::size_t i = 0; i < count; ++i) {
        const std::int32_t difference = wrap_sub(a[i], b[i]);
        a[i] = wrap_mul(difference, difference);
      }
      break;
    default:
      for (std::size_t i = 0; i < count; ++i) a[i] = wrap_sub(a[i], b[i]);
      break;
  }
}

void add_zero_and_clamp(std::int32_t* values, std::size_t count, std::int32_t zero, std::int32_t lowest, std::int32_t highest) noexcept {
  TileOutput bounds_of;
  bounds_of.zero = zero, bounds_of.lowest = lowest, bounds_of.highest = highest;
  const Bounds bounds = bounds_before_zero(bounds_of);
  for (std::size_t i = 0; i < count; ++i) values[i] = wrap_add(std::min(std::max(values[i], bounds.lowest), bounds.highest), zero);
}

template <typename Value>
void fold_with(abi::ReduceKind kind, std::int32_t* into, std::size_t count, Value value) noexcept {
  switch (kind) {
    case abi::ReduceKind::kMaximum:
      for (std::size_t i = 0; i < count; ++i) into[i] = std::max<std::int32_t>(into[i], value(i));
      break;
    case abi::ReduceKind::kMinimum:
      for (std::size_t i = 0; i < count; ++i) into[i] = std::min<std::int32_t>(into[i], value(i));
      break;
    case abi::ReduceKind::kSum:
      for (std::size_t i = 0; i < count; ++i) into[i] = wrap_add(into[i], value(i));
      break;
  }
}

struct WideValue {
  const std::int32_t* row;
  std::int32_t operator()(std::size_t i) const noexcept { return row[i]; }
};
template <typename T>
struct ElementValue {
  const std::byte* row;
  std::int32_t operator()(std::size_t i) const noexcept { return naru::mockdev::load<T>(row + i * sizeof(T)); }
};

void fold(abi::ReduceKind kind, std::int32_t* into, const std::int32_t* row, std::size_t count) noexcept { fold_with(kind, into, count, WideValue{row}); }

void fold_elements(abi::ReduceKind kind, std::int32_t* into, const std::byte* row, abi::ElementType type, std::size_t count) noexcept {
  switch (type) {
    case abi::ElementType::kI8: fold_with(kind, into, count, ElementValue<std::int8_t>{row}); break;
    case abi::ElementType::kU8: fold_with(kind, into, count, ElementValue<std::uint8_t>{row}); break;
    case abi::ElementType::kI16: fold_with(kind, into, count, ElementValue<std::int16_t>{row}); break;
    default: fold_with(kind, into, count, ElementValue<std::int32_t>{row}); break;
  }
}

template <typename T>
void maximum_of(std::byte* into, const std::byte* row, std::size_t count) noexcept {
  for (std::size_t i = 0; i < count; ++i) naru::mockdev::store(into + i, std::max(naru::mockdev::load<T>(into + i), naru::mockdev::load<T>(row + i)));
}
void maximum_of_bytes(std::byte* into, const std::byte* row, bool is_signed, std::size_t count) noexcept {
  is_signed ? maximum_of<std::int8_t>(into, row, count) : maximum_of<std::uint8_t>(into, row, count);
}

template <typename T>
void clamp_as(std::byte* bytes, std::size_t count, T lowest, T highest) noexcept {
  for (std::size_t i = 0; i < count; ++i) naru::mockdev::store(bytes + i, std::min(std::max(naru::mockdev::load<T>(bytes + i), lowest), highest));
}
void clamp_bytes(std::byte* bytes, bool is_signed, std::size_t count, std::int32_t lowest, std::int32_t highest) noexcept {
  is_signed ? clamp_as<std::int8_t>(bytes, count, static_cast<std::int8_t>(lowest), static_cast<std::int8_t>(highest))
            : clamp_as<std::uint8_t>(bytes, count, static_cast<std::uint8_t>(lowest), static_cast<std::uint8_t>(highest));
}

void average(std::int32_t* values, std::size_t count, std::int64_t taps, bool is_unsigned) noexcept {
  // Quotients of whole numbers of 53 bits and less, cut off, are exact: no quotient rounds up to the next whole number.
  const auto half = static_cast<double>(taps / 2), divisor = static_cast<double>(taps);
  for (std::size_t i = 0; i < count; ++i) {
    const double value = values[i];
    values[i] = static_cast<std::int32_t>((value > 0 || is_unsigned ? value + half : value - half) / divisor);
  }
}

void clamp(std::int32_t* values, std::size_t count, std::int32_t lowest, std::int32_t highest) noexcept {
  for (std::size_t i = 0; i < count; ++i) values[i] = std::min(std::max(values[i], lowest), highest);
}

template <typename T>
void extremes_of(const std::byte* row, std::size_t count, std::int32_t& least, std::int32_t& greatest) noexcept {
  T low = naru::mockdev::load<T>(row), high = low;
  for (std::size_t i = 1; i < count; ++i) {
    low = std::min(low, naru::mockdev::load<T>(row + i));
    high = std::max(high, naru::mockdev::load<T>(row + i));
  }
  least = low, greatest = high;
}
void extremes(const std::byte* row, bool is_signed, std::size_t count, std::int32_t& least, std::int32_t& greatest) noexcept {
  is_signed ? extremes_of<std::int8_t>(row, count, least, greatest) : extremes_of<std::uint8_t>(row, count, least, greatest);
}

void softmax_codes(const std::int32_t* exponentials, std::size_t count, std::int32_t scale, int exponent, std::int32_t lowest, std::byte* codes) noexcept {
  // What is below zero ends at zero, whatever its rounding.
  const std::uint64_t half = std::uint64_t{1} << (exponent - 1);
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t product = std::int64_t{scale} * exponentials[i];
    const std::uint64_t high = std::min<std::uint64_t>((static_cast<std::uint64_t>(std::max<std::int64_t>(product, 0)) + (std::uint64_t{1} << 30)) >> 31, 0x7FFFFFFF);
    codes[i] = static_cast<std::byte>(static_cast<std::int32_t>(std::min<std::uint64_t>((high + half) >> exponent, 255)) + lowest);
  }
}

void look_up(const std::byte* table, const std::byte* input, std::byte* output, std::size_t count) noexcept {
  for (std::size_t i = 0; i < count; ++i) output[i] = table[static_cast<std::uint8_t>(input[i])];
}

constexpr RowLoops kLoops = {.load = load, .store = store, .shift = shift, .combine = combine, .add_zero_and_clamp = add_zero_and_clamp, .fold = fold, .fold_elements = fold_elements,
                             .maximum_of_bytes = maximum_of_bytes, .clamp_bytes = clamp_bytes, .average = average, .clamp = clamp, .extremes = extremes, .softmax_codes = softmax_codes, .look_up = look_up};
