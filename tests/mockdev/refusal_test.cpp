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

constexpr std::uint64_t kRefusalSram = 64 * 1024;

abi::Stream stream_of(std::vector<abi::Command> commands) {
  commands.push_back(end());
  return {.regions = {declare(MemoryKind::kSram, Rights::kReadWrite, kRefusalSram), declare(MemoryKind::kDram, Rights::kRead, 4096), declare(MemoryKind::kDram, Rights::kWrite, 4096)},
          .commands = std::move(commands)};
}

abi::Operand at(std::uint64_t offset) { return Operand::at(0, offset); }
abi::Dma good_copy() { return dma(Operand::at(1, 0), at(0), 64); }

/// Loads streams that the device must refuse, naming command `index`.
class Refuser {
 public:
  Refuser() { bench_.open(); }
  void operator()(std::string_view what, const std::vector<abi::Command>& commands, std::uint32_t index = 0) {
    const abi::Reply reply = bench_.load(stream_of(commands));
    EXPECT_EQ(reply.status, Status::kBadStream) << what;
    EXPECT_EQ(reply.detail, index) << what;
    EXPECT_EQ(reply.handle, 0u) << what;
  }
  void operator()(std::string_view what, Engine engine, const abi::CommandBody& body) { (*this)(what, {on(engine, body)}); }
  ~Refuser() { EXPECT_EQ(bench_.load(stream_of({on(Engine::kDma0, good_copy())})).status, Status::kOk); }

 private:
  Bench bench_;
};

TEST(Refusal, StreamsThatReachOutsideTheirRegionsOrEngines) {
  Refuser refuse;
  refuse("region not declared", Engine::kDma0, dma(Operand::at(3, 0), at(0), 64));
  refuse("region number far out", Engine::kDma0, dma(Operand::at(65535, 0), at(0), 64));
  refuse("source past its end", Engine::kDma0, dma(Operand::at(1, 4033), at(0), 64));
  refuse("second command at fault", {on(Engine::kDma0, good_copy()), on(Engine::kDma0, dma(Operand::at(1, 4096), at(0), 1))}, 1);
  refuse("offset at the end of 48 bits", Engine::kDma0, dma(Operand::at(1, (std::uint64_t{1} << 48) - 1), at(0), 64));
  refuse("writes a read-only region", Engine::kDma0, dma(at(0), Operand::at(1, 0), 64));
  refuse("reads a write-only region", Engine::kDma0, dma(Operand::at(2, 0), at(0), 64));
  refuse("vector engine reaches DRAM", Engine::kVector, doubled(Operand::at(1, 0), at(0), 64));
  refuse("fill reaches DRAM", Engine::kDma0, fill(Operand::at(2, 0), 64, 0));
  refuse("engine that is not there", Engine::kDma2, good_copy());
  refuse("engine number far out", static_cast<Engine>(77), good_copy());
  refuse("DMA on the vector engine", Engine::kVector, good_copy());
  refuse("elementwise on a DMA engine", Engine::kDma0, doubled(at(0), at(64), 64));
}

TEST(Refusal, CopiesThatLeaveTheirRegionOrOverlap) {
  Refuser refuse;
  abi::Dma wild = good_copy();
  wild.count = {65536, 65536, 65536};
  wild.source_stride = wild.target_stride = {0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF};
  refuse("strides that wrap", Engine::kDma0, wild);
  wild.source_stride = wild.target_stride = {0, 0, 0};
  refuse("output over itself", Engine::kDma0, wild);
  wild = good_copy();
  wild.count = {1, 0, 1};
  refuse("no rows", Engine::kDma0, wild);
  wild = good_copy();
  wild.row_bytes = 0;
  refuse("empty rows", Engine::kDma0, wild);
  wild = good_copy();
  wild.count = {1, 1, 3};
  wild.source_stride = {0, 0, 2020};
  wild.target_stride = {0, 0, 64};
  refuse("last row leaves the region", Engine::kDma0, wild);
  refuse("overlapping copy", Engine::kDma0, dma(at(0), at(32), 64));
  refuse("add that half overlaps its input", Engine::kVector, doubled(at(0), at(32), 64));
}

TEST(Refusal, ElementwiseFieldsOutOfRange) {
  Refuser refuse;
  abi::Elementwise element = doubled(at(0), at(64), 64);
  element.op = static_cast<abi::ElementwiseOp>(7);
  refuse("unknown operation", Engine::kVector, element);
  element = doubled(at(0), at(64), 64);
  element.type = abi::ElementType::kF32;
  refuse("type that is not computed", Engine::kVector, element);
  element = doubled(at(0), at(64), 64);
  element.left_shift = 21;
  refuse("left shift", Engine::kVector, element);
  element = doubled(at(0), at(64), 64);
  element.a_shift = -32;
  refuse("shift", Engine::kVector, element);
  element = doubled(at(0), at(64), 64);
  element.activation_min = 5;
  element.activation_max = 4;
  refuse("empty activation range", Engine::kVector, element);
  element = doubled(at(0), at(64), 64);
  element.output_zero = 128;
  refuse("zero point outside the type", Engine::kVector, element);
  element = doubled(at(1), at(65), 32);
  element.type = abi::ElementType::kI16;
  element.a_stride = element.b_stride = element.output_stride = {0, 0, 0, 2};
  refuse("operand not aligned", Engine::kVector, element);
  element = doubled(at(0), at(8192), 64);
  element.extent = {0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 64};
  refuse("work without end", Engine::kVector, element);
}

TEST(Refusal, ConvolutionsOutOfRange) {
  Refuser refuse;
  abi::Conv conv;
  conv.input = at(0);
  conv.weights = at(1024);
  conv.output = at(8192);
  conv.in_channels = 4;
  conv.out_channels = 16;
  conv.activation_min = -128;
  conv.activation_max = 127;
  conv.weights = at(1025);
  refuse("weights not aligned", Engine::kMac, conv);
  conv.weights = at(1024);
  conv.in_channels = 0;
  refuse("no input channels", Engine::kMac, conv);
  conv.in_channels = 0xFFFFFFFF;
  conv.kernel_rows = conv.kernel_cols = 0xFFFF;
  refuse("weights beyond 64 bits", Engine::kMac, conv);
  conv.in_channels = 4;
  conv.kernel_rows = conv.kernel_cols = 1;
  conv.weight_format = abi::WeightFormat::kDepthwiseI8;
  refuse("weight format", Engine::kMac, conv);
  conv.weight_format = abi::WeightFormat::kDenseI8;
  conv.out_channels = 16 * 200;
  refuse("weights leave SRAM", Engine::kMac, conv);
  conv.out_channels = 16;
  conv.start = abi::Start::kPartial;
  conv.partial = at(kRefusalSram - 4);
  refuse("partial leaves SRAM", Engine::kMac, conv);
}

TEST(Refusal, PoolsWithEmptyWindows) {
  Refuser refuse;
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
  refuse("pool window above the image", Engine::kVector, pool);
  pool.pad_top = 0;
  pool.out_rows = 5;
  refuse("pool window below the image", Engine::kVector, pool);
}

TEST(Refusal, WaitsThatCanNeverEnd) {
  Refuser refuse;
  refuse("wait for itself", {wait(Engine::kDma0, Engine::kDma0, 1), on(Engine::kDma0, good_copy())});
  refuse("wait for nothing", {wait(Engine::kDma0, Engine::kMac, 1), on(Engine::kDma0, good_copy())});
  refuse("wait for count 0", {wait(Engine::kDma0, Engine::kMac, 0), on(Engine::kDma0, good_copy())});
  refuse("wait for an engine that is not there", {wait(Engine::kDma0, Engine::kDma3, 1), on(Engine::kDma0, good_copy())});
  refuse("two engines that wait for each other",
      {wait(Engine::kDma0, Engine::kVector, 1), on(Engine::kDma0, good_copy()), wait(Engine::kVector, Engine::kDma0, 1), on(Engine::kVector, fill(at(0), 64, 0))});
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
  const abi::RegionBinding scratch = sram(kRefusalSram), in = bind(s.input, 4096), out = bind(s.output, 4096);
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
  EXPECT_EQ(s.run(sram(kRefusalSram, 8 << 20), in, out), Status::kBadRange);
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
  EXPECT_EQ(s.run(sram(kRefusalSram), bind(mine, 4096), bind(s.output, 4096)), Status::kBadHandle);
  const abi::Handle stream = std::exchange(s.stream, s.bench.load(stream_of({})).handle);
  EXPECT_EQ(s.run(sram(kRefusalSram), bind(mine, 4096), bind(s.output, 4096)), Status::kBadHandle);
  s.stream = stream;
  s.bench.context = first;
  s.bench.fence = 0;
  EXPECT_EQ(s.run(sram(kRefusalSram), bind(s.input, 4096), bind(s.output, 4096)), Status::kOk);
}

TEST(Refusal, SubmitMessagesAreTakenWholeOrNotAtAll) {
  Submission s;
  const std::initializer_list<abi::RegionBinding> bindings{sram(kRefusalSram), bind(s.input, 4096), bind(s.output, 4096)};
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
  EXPECT_EQ(s.run(sram(kRefusalSram), bind(s.input, 4096), bind(s.output, 4096)), Status::kOk);  // fence 1 is still the next
}

}  // namespace
}  // namespace naru::mockdev::test
