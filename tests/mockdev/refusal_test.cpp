// Requests and streams that are well framed and still wrong: each is refused with its status, and nothing else changes.
#include "support.h"

namespace naru::mockdev::test {
namespace {

using abi::Engine;
using abi::MemoryKind;
using abi::MessageType;
using abi::Operand;
using abi::Rights;
using abi::Status;

TEST(Refusal, EpochContextTypeBodyAndFieldsOfRequests) {
  Bench bench;
  EXPECT_EQ(bench.status_of(MessageType::kCreateBuffer, body_of(abi::CreateBuffer{64})), Status::kBadContext);
  bench.open();
  EXPECT_EQ(bench.status_of(static_cast<MessageType>(0x77)), Status::kUnknownType);
  EXPECT_EQ(bench.status_of(MessageType::kReply, body_of(abi::Reply{})), Status::kUnknownType);
  EXPECT_EQ(bench.status_of(MessageType::kCreateBuffer, Bytes(16)), Status::kBadLength);
  EXPECT_EQ(bench.status_of(MessageType::kCreateBuffer), Status::kBadLength);
  EXPECT_EQ(bench.status_of(MessageType::kCreateBuffer, body_of(abi::CreateBuffer{64}), Bytes(8)), Status::kBadField);
  EXPECT_EQ(bench.status_of(MessageType::kFreeStream, body_of(abi::HandleBody{bench.create(64)})), Status::kBadHandle);  // a buffer is no stream
  Bytes reserved = body_of(abi::Cancel{.fence = 1});
  reserved[12] = std::byte{1};
  EXPECT_EQ(bench.status_of(MessageType::kCancel, reserved), Status::kBadField);
  EXPECT_EQ(bench.status_of(MessageType::kCancel, body_of(abi::Cancel{.fence = 1})), Status::kBadRange);  // nothing was submitted
  EXPECT_EQ(bench.status_of(MessageType::kCancel, body_of(abi::Cancel{.fence = 1, .queue = 4})), Status::kBadField);

  abi::MessageHeader header{.type = MessageType::kOpenContext, .epoch = bench.epoch - 1, .sequence = ++bench.sequence};
  ASSERT_TRUE(bench.send(Bench::seal(header, {})));
  EXPECT_EQ(bench.expect().reply().status, Status::kStaleEpoch);
  header = {.type = MessageType::kOpenContext, .epoch = bench.epoch, .sequence = ++bench.sequence};
  Bytes bytes = Bench::seal(header, {});
  bytes[22] = std::byte{1};  // reserved, with a checksum that fits
  store_le<std::uint32_t>(bytes.data() + 40, 0);
  store_le<std::uint32_t>(bytes.data() + 40, crc32c(std::span(bytes).first(48)));
  // The checksum is defined over the encoded header, whose reserved bytes are zero: either answer is a refusal.
  if (bench.send(bytes)) {
    EXPECT_EQ(bench.expect().reply().status, Status::kBadField);
  } else {
    EXPECT_EQ(bench.expect().reply().status, Status::kBadChecksum);
  }
}

TEST(Refusal, AWrongPayloadChecksumIsNoticed) {
  Bench bench;
  bench.open();
  const abi::Handle buffer = bench.create(64);
  const Bytes data = random_bytes(64, 1), body = body_of(abi::Access{.handle = buffer, .bytes = 64});
  for (const bool right : {false, true}) {
    abi::MessageHeader header{.type = MessageType::kWrite, .epoch = bench.epoch, .sequence = ++bench.sequence, .context = bench.context, .flags = 1 | 4};
    header.body_bytes = static_cast<std::uint32_t>(body.size());
    header.payload_bytes = 64;
    header.payload_crc = crc32c(data) + (right ? 0 : 1);
    ASSERT_TRUE(bench.send(Bench::seal(header, body, data)));
    EXPECT_EQ(bench.expect().reply().status, right ? Status::kOk : Status::kPayloadChecksum);
  }
}

TEST(Refusal, APayloadForABadHandleIsDrainedAndRefused) {
  Bench bench;
  bench.open();
  ASSERT_TRUE(bench.send(bench.message(MessageType::kWrite, body_of(abi::Access{.handle = 77, .bytes = 300'000}), {}, 300'000)));
  ASSERT_TRUE(bench.send(Bytes(300'000), false));
  EXPECT_EQ(bench.expect().reply().status, Status::kBadHandle);
  EXPECT_NE(bench.create(64), 0u);
}

TEST(Refusal, MoreThanTheCreditsIsRefusedAndTheRestStillAnswered) {
  Bench bench;
  bench.open();
  const abi::Handle buffer = bench.create(64);
  const unsigned credits = bench.identity().credits;
  for (unsigned i = 0; i <= credits; ++i) ASSERT_TRUE(bench.send(bench.message(MessageType::kRead, body_of(abi::Access{.handle = buffer, .bytes = 64, .after_fence = 1}))));
  EXPECT_EQ(bench.expect().reply().status, Status::kNoCredit);
  EXPECT_EQ(bench.status_of(MessageType::kCreateBuffer, body_of(abi::CreateBuffer{64})), Status::kNoCredit);
  bench.soft_reset();
  for (unsigned i = 0; i < credits; ++i) EXPECT_EQ(bench.expect().reply().status, Status::kReset);
}

// ---- streams ----

constexpr std::uint64_t kSram = 64 * 1024;

abi::Stream stream_of(std::vector<abi::Command> commands) {
  commands.push_back(end());
  return {.regions = {declare(MemoryKind::kSram, Rights::kReadWrite, kSram), declare(MemoryKind::kDram, Rights::kRead, 4096), declare(MemoryKind::kDram, Rights::kWrite, 4096)},
          .commands = std::move(commands)};
}

struct Case {
  std::string what;
  abi::Stream stream;
  std::uint32_t command = 0;
};

TEST(Refusal, StreamsAreCheckedByTheDeviceItself) {
  std::vector<Case> cases;
  const auto add = [&](std::string what, std::vector<abi::Command> commands, std::uint32_t command = 0) { cases.push_back({std::move(what), stream_of(std::move(commands)), command}); };
  const auto at = [](std::uint64_t offset) { return Operand::at(0, offset); };
  const abi::Dma good = dma(Operand::at(1, 0), at(0), 64);
  add("region not declared", {on(Engine::kDma0, dma(Operand::at(3, 0), at(0), 64))});
  add("region number far out", {on(Engine::kDma0, dma(Operand::at(65535, 0), at(0), 64))});
  add("source past its end", {on(Engine::kDma0, dma(Operand::at(1, 4033), at(0), 64))});
  add("second command at fault", {on(Engine::kDma0, good), on(Engine::kDma0, dma(Operand::at(1, 4096), at(0), 1))}, 1);
  add("offset at the end of 48 bits", {on(Engine::kDma0, dma(Operand::at(1, (std::uint64_t{1} << 48) - 1), at(0), 64))});
  add("writes a read-only region", {on(Engine::kDma0, dma(at(0), Operand::at(1, 0), 64))});
  add("reads a write-only region", {on(Engine::kDma0, dma(Operand::at(2, 0), at(0), 64))});
  add("vector engine reaches DRAM", {on(Engine::kVector, doubled(Operand::at(1, 0), at(0), 64))});
  add("fill reaches DRAM", {on(Engine::kDma0, fill(Operand::at(2, 0), 64, 0))});
  add("engine that is not there", {on(Engine::kDma2, good)});
  add("engine number far out", {on(static_cast<Engine>(77), good)});
  add("DMA on the vector engine", {on(Engine::kVector, good)});
  add("elementwise on a DMA engine", {on(Engine::kDma0, doubled(at(0), at(64), 64))});
  {
    abi::Dma wild = good;
    wild.count = {65536, 65536, 65536};
    wild.source_stride = wild.target_stride = {0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF};
    add("strides that wrap", {on(Engine::kDma0, wild)});
    wild.source_stride = wild.target_stride = {0, 0, 0};
    add("output over itself", {on(Engine::kDma0, wild)});
    wild = good;
    wild.count = {1, 0, 1};
    add("no rows", {on(Engine::kDma0, wild)});
    wild = good;
    wild.row_bytes = 0;
    add("empty rows", {on(Engine::kDma0, wild)});
    wild = good;
    wild.count = {1, 1, 3};
    wild.source_stride = {0, 0, 2020};
    wild.target_stride = {0, 0, 64};
    add("last row leaves the region", {on(Engine::kDma0, wild)});
  }
  add("overlapping copy", {on(Engine::kDma0, dma(at(0), at(32), 64))});
  add("add that half overlaps its input", {on(Engine::kVector, doubled(at(0), at(32), 64))});
  {
    abi::Elementwise element = doubled(at(0), at(64), 64);
    element.op = static_cast<abi::ElementwiseOp>(7);
    add("unknown operation", {on(Engine::kVector, element)});
    element = doubled(at(0), at(64), 64);
    element.type = abi::ElementType::kF32;
    add("type that is not computed", {on(Engine::kVector, element)});
    element = doubled(at(0), at(64), 64);
    element.left_shift = 21;
    add("left shift", {on(Engine::kVector, element)});
    element = doubled(at(0), at(64), 64);
    element.a_shift = -32;
    add("shift", {on(Engine::kVector, element)});
    element = doubled(at(0), at(64), 64);
    element.activation_min = 5;
    element.activation_max = 4;
    add("empty activation range", {on(Engine::kVector, element)});
    element = doubled(at(0), at(64), 64);
    element.output_zero = 128;
    add("zero point outside the type", {on(Engine::kVector, element)});
    element = doubled(at(1), at(65), 32);
    element.type = abi::ElementType::kI16;
    element.a_stride = element.b_stride = element.output_stride = {0, 0, 0, 2};
    add("operand not aligned", {on(Engine::kVector, element)});
    element = doubled(at(0), at(8192), 64);
    element.extent = {0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 64};
    add("work without end", {on(Engine::kVector, element)});
  }
  {
    abi::Conv conv;
    conv.input = at(0);
    conv.weights = at(1024);
    conv.output = at(8192);
    conv.in_channels = 4;
    conv.out_channels = 16;
    conv.activation_min = -128;
    conv.activation_max = 127;
    conv.weights = at(1025);
    add("weights not aligned", {on(Engine::kMac, conv)});
    conv.weights = at(1024);
    conv.in_channels = 0;
    add("no input channels", {on(Engine::kMac, conv)});
    conv.in_channels = 0xFFFFFFFF;
    conv.kernel_rows = conv.kernel_cols = 0xFFFF;
    add("weights beyond 64 bits", {on(Engine::kMac, conv)});
    conv.in_channels = 4;
    conv.kernel_rows = conv.kernel_cols = 1;
    conv.weight_format = abi::WeightFormat::kDepthwiseI8;
    add("weight format", {on(Engine::kMac, conv)});
    conv.weight_format = abi::WeightFormat::kDenseI8;
    conv.out_channels = 16 * 200;
    add("weights leave SRAM", {on(Engine::kMac, conv)});
    conv.out_channels = 16;
    conv.start = abi::Start::kPartial;
    conv.partial = at(kSram - 4);
    add("partial leaves SRAM", {on(Engine::kMac, conv)});
  }
  {
    abi::Pool pool;
    pool.input = at(0);
    pool.output = at(4096);
    pool.in_rows = pool.in_cols = 8;
    pool.out_rows = pool.out_cols = 4;
    pool.channels = 16;
    pool.kernel_rows = pool.kernel_cols = 2;
    pool.stride_rows = pool.stride_cols = 2;
    pool.input_row_stride = 128;
    pool.input_pixel_stride = 16;
    pool.output_row_stride = 64;
    pool.output_pixel_stride = 16;
    pool.activation_min = -128;
    pool.activation_max = 127;
    pool.pad_top = 2;
    add("pool window above the image", {on(Engine::kVector, pool)});
    pool.pad_top = 0;
    pool.out_rows = 5;
    add("pool window below the image", {on(Engine::kVector, pool)});
  }
  add("wait for itself", {wait(Engine::kDma0, Engine::kDma0, 1), on(Engine::kDma0, good)});
  add("wait for nothing", {wait(Engine::kDma0, Engine::kMac, 1), on(Engine::kDma0, good)});
  add("wait for count 0", {wait(Engine::kDma0, Engine::kMac, 0), on(Engine::kDma0, good)});
  add("wait for an engine that is not there", {wait(Engine::kDma0, Engine::kDma3, 1), on(Engine::kDma0, good)});
  add("two engines that wait for each other",
      {wait(Engine::kDma0, Engine::kVector, 1), on(Engine::kDma0, good), wait(Engine::kVector, Engine::kDma0, 1), on(Engine::kVector, fill(at(0), 64, 0))});
  Bench bench;
  bench.open();
  for (const Case& each : cases) {
    const abi::Reply reply = bench.load(each.stream);
    EXPECT_EQ(reply.status, Status::kBadStream) << each.what;
    EXPECT_EQ(reply.detail, each.command) << each.what;
    EXPECT_EQ(reply.handle, 0u) << each.what;
  }
  EXPECT_EQ(bench.load(stream_of({on(Engine::kDma0, good)})).status, Status::kOk);
}

TEST(Refusal, DeclarationsOfStreamsAreChecked) {
  Bench bench;
  bench.open();
  const auto status_with = [&](abi::RegionDeclaration region) { return bench.load({.regions = {region}, .commands = {end()}}).status; };
  EXPECT_EQ(status_with(declare(MemoryKind::kSram, Rights::kReadWrite, 64)), Status::kOk);
  EXPECT_EQ(status_with(declare(static_cast<MemoryKind>(3), Rights::kRead, 64)), Status::kBadStream);
  EXPECT_EQ(status_with(declare(MemoryKind::kSram, Rights::kNone, 64)), Status::kBadStream);
  EXPECT_EQ(status_with(declare(MemoryKind::kSram, static_cast<Rights>(4), 64)), Status::kBadStream);
  EXPECT_EQ(status_with(declare(MemoryKind::kSram, Rights::kRead, 0)), Status::kBadStream);
  EXPECT_EQ(status_with(declare(MemoryKind::kSram, Rights::kRead, bench.profile.chip.sram_bytes + 1)), Status::kBadStream);
  EXPECT_EQ(bench.load_bytes(Bytes(24)).status, Status::kBadStream);
}

TEST(Refusal, InterleavedCopiesInsideOneRegionAreAllowed) {
  // Left half of each 64-byte row to the right half: the boxes' spans overlap, their bytes do not.
  Bench bench;
  bench.open();
  abi::Dma copy = dma(Operand::at(0, 0), Operand::at(0, 32), 32);
  copy.count = {1, 1, 16};
  copy.source_stride = copy.target_stride = {0, 0, 64};
  EXPECT_EQ(bench.load(stream_of({on(Engine::kDma0, copy)})).status, Status::kOk);
  copy.row_bytes = 33;
  EXPECT_EQ(bench.load(stream_of({on(Engine::kDma0, copy)})).status, Status::kBadStream);
}

// ---- submissions ----

struct Submission {
  Bench bench;
  abi::Handle stream = 0, input = 0, output = 0;

  Submission() {
    bench.open();
    input = bench.create(4096);
    output = bench.create(4096);
    stream = bench.load(stream_of({on(Engine::kDma0, dma(Operand::at(1, 0), Operand::at(0, 0), 64))})).handle;
  }
  Status run(abi::RegionBinding a, abi::RegionBinding b, abi::RegionBinding c) { return bench.run(stream, {a, b, c}).status; }
};

TEST(Refusal, BindingsAreCheckedPerJob) {
  Submission s;
  const abi::RegionBinding scratch = sram(kSram), in = bind(s.input, 4096), out = bind(s.output, 4096);
  EXPECT_EQ(s.run(scratch, in, out), Status::kOk);
  EXPECT_EQ(s.run(scratch, bind(s.input, 4095), out), Status::kBadBinding);
  EXPECT_EQ(s.run(scratch, bind(s.input, 4096, 1), out), Status::kBadRange);
  EXPECT_EQ(s.run(scratch, bind(s.input, 4096, ~std::uint64_t{0}), out), Status::kBadRange);
  EXPECT_EQ(s.run(scratch, bind(s.input + (std::uint64_t{1} << 32), 4096), out), Status::kBadHandle);
  EXPECT_EQ(s.run(scratch, bind(0, 4096), out), Status::kBadHandle);
  EXPECT_EQ(s.run(scratch, in, bind(s.output, 4096, 0, Rights::kRead)), Status::kBadRights);
  EXPECT_EQ(s.run(scratch, in, bind(s.output, 4096, 0, static_cast<Rights>(7))), Status::kBadRights);
  EXPECT_EQ(s.run(in, in, out), Status::kBadBinding);                       // a buffer for SRAM
  EXPECT_EQ(s.run(scratch, sram(4096), out), Status::kBadBinding);          // SRAM for a buffer
  EXPECT_EQ(s.run(sram(kSram, 8 << 20), in, out), Status::kBadRange);
  EXPECT_EQ(s.run(scratch, in, bind(s.input, 4096)), Status::kBadBinding);  // output over input
  EXPECT_EQ(s.bench.run(s.stream, {scratch, in}).status, Status::kBadBinding);
  EXPECT_EQ(s.bench.run(s.stream + (std::uint64_t{1} << 32), {scratch, in, out}).status, Status::kBadHandle);
  EXPECT_EQ(s.bench.run(s.input, {scratch, in, out}).status, Status::kBadHandle);
  EXPECT_EQ(s.run(scratch, in, out), Status::kOk);
}

TEST(Refusal, StreamsAndBuffersOfAnotherContextCannotBeUsed) {
  Submission s;
  const std::uint32_t first = s.bench.context;
  s.bench.open();
  s.bench.fence = 0;
  const abi::Handle mine = s.bench.create(4096);
  EXPECT_EQ(s.run(sram(kSram), bind(mine, 4096), bind(s.output, 4096)), Status::kBadHandle);
  const abi::Handle stream = std::exchange(s.stream, s.bench.load(stream_of({})).handle);
  EXPECT_EQ(s.run(sram(kSram), bind(mine, 4096), bind(s.output, 4096)), Status::kBadHandle);
  s.stream = stream;
  s.bench.context = first;
  s.bench.fence = 0;
  EXPECT_EQ(s.run(sram(kSram), bind(s.input, 4096), bind(s.output, 4096)), Status::kOk);
}

TEST(Refusal, SubmitMessagesAreTakenWholeOrNotAtAll) {
  Submission s;
  const std::initializer_list<abi::RegionBinding> bindings{sram(kSram), bind(s.input, 4096), bind(s.output, 4096)};
  const auto reply_to = [&](const Bytes& body) {
    const Message answer = s.bench.request(MessageType::kSubmit, body);
    EXPECT_EQ(answer.header.type, MessageType::kReply);
    return answer.reply().status;
  };
  EXPECT_EQ(reply_to(Bench::job_body(s.stream, 2, bindings)), Status::kBadField);  // the next fence is 1
  EXPECT_EQ(reply_to(Bench::job_body(s.stream, 0, bindings)), Status::kBadField);
  EXPECT_EQ(reply_to(Bench::job_body(s.stream, 1, bindings, 4)), Status::kBadField);
  Bytes body = Bench::job_body(s.stream, 1, bindings);
  body.resize(body.size() - 8);
  EXPECT_EQ(reply_to(body), Status::kBadLength);
  body = Bench::job_body(s.stream, 1, bindings);
  body.resize(body.size() + 8);
  EXPECT_EQ(reply_to(body), Status::kBadLength);
  body = Bench::job_body(s.stream, 1, bindings);
  store_le<std::uint32_t>(body.data(), 0xFFFFFFFF);
  EXPECT_EQ(reply_to(body), Status::kBadLength);
  store_le<std::uint32_t>(body.data(), 0);
  EXPECT_EQ(reply_to(body), Status::kBadField);
  EXPECT_EQ(s.bench.state().jobs_queued, 0u);
  EXPECT_EQ(s.run(sram(kSram), bind(s.input, 4096), bind(s.output, 4096)), Status::kOk);  // fence 1 is still the next
}

}  // namespace
}  // namespace naru::mockdev::test
