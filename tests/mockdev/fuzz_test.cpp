// Hostile hosts, from fixed seeds: raw bytes, mutated messages and mutated streams. The device never breaks, and answers after resynchronising.
#include "support.h"

namespace naru::mockdev::test {
namespace {

using abi::Engine;
using abi::MemoryKind;
using abi::MessageType;
using abi::Operand;
using abi::Rights;
using abi::Status;

/// Takes everything that the device says, whatever it is.
void drain(Bench& bench) {
  for (unsigned i = 0; i < 4096; ++i) {
    const auto offer = bench.device->in_peek(kIn);
    if (offer) {
      bench.device->in_done(kIn, offer->bytes.size(), offer->ends_transfer);
    } else if (!bench.step()) {
      return;
    }
  }
}
void resynchronise(Bench& bench) {
  bench.device->set_halt(kOut, false);
  bench.device->set_halt(kIn, false);
  drain(bench);
  bench.soft_reset();
  drain(bench);
  ASSERT_NE(bench.open(), 0u);
  const abi::Handle buffer = bench.create(1000);
  const Bytes data = random_bytes(1000, 1);
  ASSERT_EQ(bench.write(buffer, 0, data), Status::kOk);
  ASSERT_TRUE(bench.read(buffer, 0, 1000).payload == data);
}
/// Sends without caring; gives up when the device does not take it.
void push(Bench& bench, std::span<const std::byte> bytes, bool ends) {
  for (unsigned tries = 0; tries < 64 && !bytes.empty() && !bench.device->halted(kOut); ++tries) {
    const std::span<std::byte> landing = bench.device->out_begin(kOut);
    if (landing.empty()) {
      drain(bench);
      continue;
    }
    const std::size_t count = std::min(landing.size(), bytes.size());
    std::memcpy(landing.data(), bytes.data(), count);
    bytes = bytes.subspan(count);
    bench.device->out_end(kOut, count, ends && bytes.empty());
  }
}

TEST(Fuzz, RandomBytesOnBulkOut) {
  Bench bench("tiny");
  Random random(1);
  for (unsigned round = 0; round < 300; ++round) {
    push(bench, random_bytes(random.below(3000), random.next()), random.below(4) != 0);
    if (random.below(3) == 0) bench.device->set_halt(kOut, false);
    if (random.below(8) == 0) drain(bench);
  }
  resynchronise(bench);
}

TEST(Fuzz, MutatedMessagesWithRightChecksums) {
  std::map<Status, unsigned> answers;
  Bench bench("tiny");
  Random random(2);
  for (unsigned round = 0; round < 40; ++round) {
    bench.soft_reset();
    drain(bench);
    bench.open();
    const abi::Handle buffer = bench.create(4096);
    const abi::Handle stream = bench.load({.regions = {declare(MemoryKind::kDram, Rights::kReadWrite, 4096)}, .commands = {end()}}).handle;
    for (unsigned i = 0; i < 60; ++i) {
      Bytes body;
      const auto type = static_cast<MessageType>(random.below(12) == 0 ? random.below(256) : std::array{0x01, 0x10, 0x11, 0x12, 0x13, 0x20, 0x21, 0x30, 0x31}[random.below(9)]);
      // Mostly the body that belongs to the type, with values around the limits; sometimes another one.
      switch (random.below(4) == 0 ? MessageType{} : type) {
        case MessageType::kOpenContext: break;
        case MessageType::kCreateBuffer: body = body_of(abi::CreateBuffer{random.below(100'000)}); break;
        case MessageType::kFreeBuffer:
        case MessageType::kFreeStream: body = body_of(abi::HandleBody{random.below(8) == 0 ? buffer : random.next()}); break;
        case MessageType::kLoadStream: break;
        case MessageType::kWrite:
        case MessageType::kRead: body = body_of(abi::Access{.handle = buffer, .offset = random.below(5000), .bytes = random.below(5000), .after_fence = random.below(4), .after_queue = static_cast<std::uint16_t>(random.below(5))}); break;
        case MessageType::kSubmit: body = Bench::job_body(stream, random.below(4), {bind(buffer, random.below(6000), random.below(100))}, static_cast<std::uint16_t>(random.below(5)), random.below(3)); break;
        default: body = body_of(abi::Cancel{.fence = random.below(4), .queue = static_cast<std::uint16_t>(random.below(5))}); break;
      }
      for (std::uint64_t flips = random.below(2) * random.below(3); flips != 0 && !body.empty(); --flips) body[random.below(body.size())] ^= static_cast<std::byte>(1u << random.below(8));
      abi::MessageHeader header{.type = type, .epoch = bench.epoch, .sequence = ++bench.sequence, .context = random.below(20) == 0 ? static_cast<std::uint32_t>(random.next()) : bench.context};
      header.body_bytes = static_cast<std::uint32_t>(body.size());
      header.flags = static_cast<std::uint16_t>(random.below(10) == 0 ? random.below(16) : 0);
      Bytes payload;
      if (type == MessageType::kWrite || type == MessageType::kLoadStream || random.below(10) == 0) {
        payload = random_bytes(1 + random.below(3000), random.next());
        abi::Access access;
        if (type == MessageType::kWrite && random.below(4) != 0 && abi::decode(body, access) == abi::Decoded::kOk) payload.resize(std::clamp<std::uint64_t>(access.bytes, 1, 5000));
        header.flags |= random.below(2) == 0 ? 1 : 2;
        header.payload_bytes = payload.size();
      }
      const bool is_inline = (header.flags & 3) == 1;
      push(bench, Bench::seal(header, body, is_inline ? std::span<const std::byte>(payload) : std::span<const std::byte>()), true);
      if ((header.flags & 3) == 2) push(bench, payload, payload.size() % bench.packet != 0);
      if (bench.device->halted(kOut)) bench.device->set_halt(kOut, false);
      if (random.below(8) == 0) bench.device->set_halt(kIn, false);
      while (bench.device->in_peek(kIn) || bench.step()) {
        if (!bench.receive_messages()) break;
      }
      while (!bench.inbox.empty()) {
        if (bench.inbox.front().header.type != MessageType::kCompletion) ++answers[bench.inbox.front().reply().status];
        bench.inbox.pop_front();
      }
    }
  }
  EXPECT_GT(answers[Status::kOk], 50u);
  EXPECT_GE(answers.size(), 8u);
  resynchronise(bench);
}

TEST(Fuzz, MutatedStreamsAreRefusedOrRunWithinTheirRegions) {
  // A stream with one command of each kind; bytes of it are changed. Those still accepted run between canaries that must stay.
  abi::Conv conv;
  conv.input = Operand::at(0, 4096);
  conv.weights = Operand::at(0, 0);
  conv.output = Operand::at(0, 8192);
  conv.out_rows = conv.out_cols = 4;
  conv.in_channels = 8;
  conv.out_channels = 16;
  conv.kernel_rows = conv.kernel_cols = 2;
  conv.input_row_stride = 64;
  conv.input_pixel_stride = 8;
  conv.output_row_stride = 64;
  conv.output_pixel_stride = 16;
  conv.activation_min = -128;
  conv.activation_max = 127;
  abi::Depthwise depthwise;
  depthwise.input = Operand::at(0, 4096);
  depthwise.weights = Operand::at(0, 1024);
  depthwise.output = Operand::at(0, 9216);
  depthwise.out_rows = depthwise.out_cols = 3;
  depthwise.channels = 16;
  depthwise.channel_multiplier = 1;
  depthwise.kernel_rows = depthwise.kernel_cols = 2;
  depthwise.input_row_stride = 128;
  depthwise.input_pixel_stride = 16;
  depthwise.output_row_stride = 48;
  depthwise.output_pixel_stride = 16;
  depthwise.activation_min = -128;
  depthwise.activation_max = 127;
  abi::Pool pool;
  pool.input = Operand::at(0, 4096);
  pool.output = Operand::at(0, 10'240);
  pool.in_rows = pool.in_cols = 4;
  pool.out_rows = pool.out_cols = 2;
  pool.channels = 16;
  pool.kernel_rows = pool.kernel_cols = pool.stride_rows = pool.stride_cols = 2;
  pool.input_row_stride = 64;
  pool.input_pixel_stride = 16;
  pool.output_row_stride = 32;
  pool.output_pixel_stride = 16;
  pool.activation_min = -128;
  pool.activation_max = 127;
  abi::Requantize requantize;
  requantize.input = Operand::at(0, 4096);
  requantize.output = Operand::at(0, 11'264);
  requantize.input_type = abi::ElementType::kI32;
  requantize.extent = {1, 1, 4, 16};
  requantize.input_stride = {0, 0, 64, 4};
  requantize.output_stride = {0, 0, 16, 1};
  requantize.multiplier = 1 << 30;
  requantize.activation_min = -128;
  requantize.activation_max = 127;
  abi::Table table;
  table.input = Operand::at(0, 4096);
  table.table = Operand::at(0, 2048);
  table.output = Operand::at(0, 11'520);
  table.extent = {1, 1, 1, 64};
  table.input_stride = table.output_stride = {0, 0, 0, 1};
  abi::Reduce reduce;
  reduce.input = Operand::at(0, 4096);
  reduce.output = Operand::at(0, 12'000);
  reduce.reduced_dimensions = 4;
  reduce.extent = {1, 1, 8, 16};
  reduce.input_stride = {0, 0, 16, 1};
  reduce.output_stride = {0, 0, 0, 1};
  reduce.multiplier = 1 << 30;
  reduce.activation_min = -128;
  reduce.activation_max = 127;
  abi::Softmax softmax;
  softmax.input = Operand::at(0, 4096);
  softmax.output = Operand::at(0, 13'000);
  softmax.rows = 2;
  softmax.row_elements = 10;
  softmax.multiplier = 1 << 30;
  softmax.left_shift = 20;
  softmax.difference_min = -200;
  softmax.input_row_stride = softmax.output_row_stride = 10;
  abi::Move move;
  move.input = Operand::at(0, 4096);
  move.output = Operand::at(0, 14'000);
  move.extent = {1, 2, 3, 4};
  move.input_stride = {0, 12, 4, 1};
  move.output_stride = {0, 1, 2, 6};
  abi::Curve curve;
  curve.input = Operand::at(0, 4096);
  curve.table = Operand::at(0, 2048);
  curve.output = Operand::at(0, 15'616);
  curve.multiplier = 3;
  curve.extent = {1, 1, 1, 32};
  curve.input_stride = curve.output_stride = {0, 0, 0, 2};
  abi::Pack pack;
  pack.input = Operand::at(0, 4096);
  pack.output = Operand::at(0, 15'680);
  pack.channels = 10;
  pack.depth = 4;
  pack.channel_stride = 4;
  pack.depth_stride = 1;
  abi::Resize resize;
  resize.input = Operand::at(0, 4096);
  resize.output = Operand::at(0, 16'128);
  resize.in_rows = resize.in_cols = 4;
  resize.out_rows = resize.out_cols = 7;
  resize.channels = 5;
  resize.input_row_stride = 20;
  resize.input_pixel_stride = resize.output_pixel_stride = 5;
  resize.output_row_stride = 35;
  resize.row_scale = resize.col_scale = 585;
  const abi::Stream stream{
      .regions = {declare(MemoryKind::kSram, Rights::kReadWrite, 16'384), declare(MemoryKind::kDram, Rights::kRead, 8192), declare(MemoryKind::kDram, Rights::kWrite, 8192)},
      .commands = {on(Engine::kDma0, dma(Operand::at(1, 0), Operand::at(0, 0), 8192)), wait(Engine::kMac, Engine::kDma0, 1), wait(Engine::kVector, Engine::kDma0, 1), on(Engine::kMac, conv),
                   on(Engine::kMac, depthwise), on(Engine::kVector, pool), on(Engine::kVector, requantize), on(Engine::kVector, table), on(Engine::kVector, reduce), on(Engine::kVector, softmax),
                   on(Engine::kVector, move), on(Engine::kVector, doubled(Operand::at(0, 4096), Operand::at(0, 15'000), 256)), on(Engine::kVector, fill(Operand::at(0, 15'500), 64, -3)),
                   on(Engine::kVector, curve), on(Engine::kVector, pack), on(Engine::kVector, resize),
                   wait(Engine::kDma0, Engine::kVector, 11), wait(Engine::kDma0, Engine::kMac, 2), on(Engine::kDma0, dma(Operand::at(0, 8192), Operand::at(2, 0), 8192)), end()}};
  const Bytes original = abi::encode_stream(stream);

  Bench bench("tiny");
  bench.open();
  constexpr std::uint64_t kArea = 64 * 1024;
  const abi::Handle area = bench.create(kArea);
  const Bytes canary = random_bytes(kArea, 5);
  ASSERT_EQ(bench.write(area, 0, canary), Status::kOk);
  ASSERT_EQ(bench.load_bytes(original).status, Status::kOk);
  const std::size_t first_command = abi::wire_size<abi::StreamHeader>() + 3 * abi::wire_size<abi::RegionDeclaration>();
  unsigned refused = 0, executed = 0;
  Random random(3);
  for (unsigned round = 0; round < 3000; ++round) {
    Bytes bytes = original;
    const std::size_t low = random.below(8) == 0 ? 0 : first_command;
    for (std::uint64_t changes = 1 + random.below(2); changes != 0; --changes) {
      std::byte& byte = bytes[low + random.below(bytes.size() - low)];
      byte = random.below(2) == 0 ? byte ^ static_cast<std::byte>(1u << random.below(8)) : static_cast<std::byte>(random.next());
    }
    const abi::Reply loaded = bench.load_bytes(bytes);
    if (loaded.status != Status::kOk) {
      EXPECT_EQ(loaded.status, Status::kBadStream);
      ++refused;
      continue;
    }
    const abi::Completion completion = bench.run(loaded.handle, {sram(16'384, 65'536), bind(area, 8192, 16'384), bind(area, 8192, 40'960)}, 3'000'000);
    EXPECT_TRUE(completion.status == Status::kOk || completion.status == Status::kBudgetExceeded || completion.status == Status::kBadBinding || completion.status == Status::kBadRights)
        << abi::name_of(completion.status);
    ++executed;
    EXPECT_EQ(bench.status_of(MessageType::kFreeStream, body_of(abi::HandleBody{loaded.handle})), Status::kOk);
  }
  const Bytes after = bench.read(area, 0, kArea).payload;
  EXPECT_TRUE(std::equal(canary.begin(), canary.begin() + 40'960, after.begin()));
  EXPECT_TRUE(std::equal(canary.begin() + 49'152, canary.end(), after.begin() + 49'152));
  EXPECT_GT(refused, 500u);
  EXPECT_GT(executed, 500u);
  RecordProperty("refused", static_cast<int>(refused));
  RecordProperty("executed", static_cast<int>(executed));
}

TEST(Fuzz, EndpointCallsInAnyOrder) {
  Bench bench("tiny");
  Random random(4);
  for (unsigned i = 0; i < 20'000; ++i) {
    const auto endpoint = static_cast<std::uint8_t>(std::array{0x01, 0x81, 0x82, 0x00, 0x05, 0x8F}[random.below(6)]);
    switch (random.below(9)) {
      case 0: {
        const std::span<std::byte> landing = bench.device->out_begin(endpoint);
        if (landing.empty()) break;
        const std::size_t count = random.below(std::min<std::size_t>(landing.size(), 2000) + 1);
        bench.device->out_end(endpoint, count, random.below(2) == 0);
        break;
      }
      case 1:
        if (const auto offer = bench.device->in_peek(endpoint)) bench.device->in_done(endpoint, random.below(offer->bytes.size() + 1), random.below(2) == 0);
        break;
      case 2: bench.device->set_halt(endpoint, random.below(3) == 0); break;
      case 3: bench.device->step(bench.device->clock().after(std::chrono::microseconds(random.below(1000))), random.below(100)); break;
      case 4:
        if (random.below(20) == 0) bench.device->bus_reset();
        break;
      case 5:
        if (random.below(20) == 0) bench.device->set_configuration(static_cast<std::uint8_t>(random.below(2)));
        break;
      case 6:
        if (random.below(10) == 0) bench.command(abi::ControlRequest::kPipeMode, static_cast<std::uint16_t>(random.below(5)));
        break;
      case 7:
        if (random.below(20) == 0) bench.command(abi::ControlRequest::kReset, static_cast<std::uint16_t>(random.below(4)));
        break;
      default: EXPECT_LE(bench.state().jobs_queued, 1000u);
    }
  }
  bench.device->set_configuration(1);
  ASSERT_TRUE(bench.command(abi::ControlRequest::kPipeMode, 0));
  resynchronise(bench);
}

}  // namespace
}  // namespace naru::mockdev::test
