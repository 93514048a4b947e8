// Goal: a device may say anything; the driver answers with errors, never with wrong data, a hang or undefined behaviour.
// Method: what the mock device sends is changed on its way: chosen lies first, then ten thousand random ones, half of them with their
// checksums put right again.
#include <cstring>
#include <map>

#include "bench.h"
#include "naru/abi/wire.h"
#include "naru/base/hash.h"

namespace naru::driver::test {
namespace {

struct Part {
  abi::MessageHeader header;
  Bytes body, payload;
};

/// Empty when these are no messages: payload that comes where a message is waited for, after an earlier lie.
std::vector<Part> take_apart(const Bytes& bytes) {
  std::vector<Part> parts;
  for (std::size_t at = 0; at < bytes.size();) {
    Part part;
    if (abi::decode(std::span<const std::byte>(bytes).subspan(at), part.header) != abi::Decoded::kOk || part.header.magic != abi::kMessageMagic) return {};
    const std::size_t body = part.header.body_bytes;
    const std::size_t payload = abi::has(part.header.flags, abi::MessageFlag::kPayloadInline) ? align_up<std::size_t>(part.header.payload_bytes, 8) : 0;
    const auto from = bytes.begin() + static_cast<std::ptrdiff_t>(at + 48);
    if (body > bytes.size() - at - 48 || payload > bytes.size() - at - 48 - body) return {};
    part.body.assign(from, from + static_cast<std::ptrdiff_t>(body));
    part.payload.assign(from + static_cast<std::ptrdiff_t>(body), from + static_cast<std::ptrdiff_t>(body + payload));
    at += 48 + body + payload;
    parts.push_back(std::move(part));
  }
  return parts;
}

Bytes put_together(std::vector<Part> parts) {
  Bytes bytes;
  for (Part& part : parts) {
    part.header.crc = abi::message_crc(part.header, part.body);
    const auto header = abi::encode(part.header);
    bytes.insert(bytes.end(), header.begin(), header.end());
    bytes.insert(bytes.end(), part.body.begin(), part.body.end());
    bytes.insert(bytes.end(), part.payload.begin(), part.payload.end());
  }
  return bytes;
}

/// Edits the messages of the next transfer that has any, once, with checksums put right.
void lie_once(Bench& bench, std::function<void(std::vector<Part>&)> edit) {
  bench.tampering.on_message = [&bench, edit](Bytes& bytes) {
    if (bytes.empty()) return;
    std::vector<Part> parts = take_apart(bytes);
    ASSERT_FALSE(parts.empty());
    edit(parts);
    bytes = put_together(std::move(parts));
    bench.tampering.on_message = nullptr;
  };
}

/// A read of 100 bytes under this lie fails with `id`; afterwards the device works again.
void expect_refused(const char* what, std::function<void(std::vector<Part>&)> edit, ErrorId id = ErrorId::kProtocolViolation) {
  SCOPED_TRACE(what);
  Bench bench;
  auto device = bench.open();
  auto buffer = device->create_buffer(100);
  ASSERT_OK(buffer);
  Bytes bytes(100), back(100);
  lie_once(bench, std::move(edit));
  EXPECT_FAILS(device->read(*buffer, 0, bytes), id);
  auto again = device->create_buffer(100);
  ASSERT_OK(again);
  const Bytes sent = random_bytes(100, 1);
  ASSERT_OK(device->write(*again, 0, sent));
  ASSERT_OK(device->read(*again, 0, back));
  EXPECT_EQ(back, sent);
  EXPECT_EQ(device->host_counters().recoveries, id == ErrorId::kDeviceRefused || id == ErrorId::kHandleInvalid ? 0u : 1u);
}

TEST(Hostile, AnAnswerToEverythingAtOnceKeepsNobodyInAWait) {
  Bench bench;
  auto device = bench.open();
  auto buffer = device->create_buffer(100);
  ASSERT_OK(buffer);
  bench.tampering.floods = true;
  device->wait(device->now() + std::chrono::milliseconds(1));  // would not come back
  EXPECT_GT(bench.tampering.flooded, 10u);
  EXPECT_LT(bench.tampering.flooded, 1000u);
  bench.tampering.floods = false;
  const Bytes sent = random_bytes(100, 1);
  Bytes back(100);
  ASSERT_OK(device->write(*buffer, 0, sent));
  ASSERT_OK(device->read(*buffer, 0, back));
  EXPECT_EQ(back, sent);
}

TEST(Hostile, EveryLieAboutAReplyIsRefused) {
  expect_refused("magic", [](auto& parts) { parts[0].header.magic = 1; });
  expect_refused("a newer version", [](auto& parts) { parts[0].header.version = abi::kProtocolMax + 1; });
  expect_refused("an older version", [](auto& parts) { parts[0].header.version = abi::kProtocolMax - 1; });
  expect_refused("unknown type", [](auto& parts) { parts[0].header.type = static_cast<abi::MessageType>(0x99); });
  expect_refused("a request's type", [](auto& parts) { parts[0].header.type = abi::MessageType::kSubmit; });
  expect_refused("unknown flags", [](auto& parts) { parts[0].header.flags |= 16; });
  expect_refused("a checksum behind what is inline", [](auto& parts) { parts[0].header.flags |= 8; });
  expect_refused("checksums of nothing", [](auto& parts) {
    parts[0].header.type = abi::MessageType::kChecksums;
    parts[0].header.flags = 0;
    parts[0].header.payload_bytes = 0;
    parts[0].payload.clear();
  });
  expect_refused("inline and following", [](auto& parts) { parts[0].header.flags |= 3; });
  expect_refused("another sequence number", [](auto& parts) { parts[0].header.sequence += 7; });
  expect_refused("a shorter payload", [](auto& parts) { parts[0].header.payload_bytes = 99; });
  expect_refused("a longer payload", [](auto& parts) { parts[0].header.payload_bytes = 105; });
  expect_refused("an endless payload", [](auto& parts) { parts[0].header.payload_bytes = ~std::uint64_t{0}; });
  expect_refused("a payload that wraps", [](auto& parts) { parts[0].header.payload_bytes = ~std::uint64_t{0} - 3; });
  expect_refused("no payload", [](auto& parts) {
    parts[0].header.flags = 0;
    parts[0].header.payload_bytes = 0;
    parts[0].payload.clear();
  });
  expect_refused("an odd body", [](auto& parts) {
    parts[0].body.resize(12);
    parts[0].header.body_bytes = 12;
  });
  expect_refused("a long body", [](auto& parts) {
    parts[0].body.resize(24);
    parts[0].header.body_bytes = 24;
  });
  expect_refused("an endless body", [](auto& parts) { parts[0].header.body_bytes = 0xFFFFFFF8; });
  expect_refused("an unknown status", [](auto& parts) { parts[0].body[0] = std::byte{200}; });
  std::uint8_t first_unknown = 0;
  while (abi::name_of(static_cast<abi::Status>(first_unknown)) != "unknown") ++first_unknown;
  expect_refused("the first unknown status", [=](auto& parts) { parts[0].body[0] = std::byte{first_unknown}; });
  expect_refused("reserved bytes", [](auto& parts) { parts[0].body[2] = std::byte{1}; });
  expect_refused("a completion of nothing", [](auto& parts) {
    parts[0].header = {.type = abi::MessageType::kCompletion, .epoch = parts[0].header.epoch, .context = parts[0].header.context, .body_bytes = 48};
    const auto body = abi::encode(abi::Completion{.queue = 0, .first_fence = 1, .last_fence = 1});
    parts[0].body.assign(body.begin(), body.end());
    parts[0].payload.clear();
  });
  expect_refused("a status report of a bad checksum", [](auto& parts) {
    parts[0].header = {.type = abi::MessageType::kStatusReport, .epoch = parts[0].header.epoch, .body_bytes = 16};
    const auto body = abi::encode(abi::Reply{.status = abi::Status::kBadChecksum});
    parts[0].body.assign(body.begin(), body.end());
    parts[0].payload.clear();
  }, ErrorId::kChecksum);
  expect_refused("out of range", [](auto& parts) {
    parts[0].header.flags = 0;
    parts[0].header.payload_bytes = 0;
    parts[0].payload.clear();
    parts[0].body[0] = std::byte{static_cast<unsigned char>(abi::Status::kBadRange)};
  }, ErrorId::kDeviceRefused);
}

TEST(Hostile, EveryStatusThatHasANameHasAnErrorToo) {
  for (std::uint8_t status = 1; abi::name_of(static_cast<abi::Status>(status)) != "unknown"; ++status) {
    SCOPED_TRACE(abi::name_of(static_cast<abi::Status>(status)));
    Bench bench;
    auto device = bench.open();
    auto buffer = device->create_buffer(100);
    ASSERT_OK(buffer);
    Bytes bytes(100);
    lie_once(bench, [=](auto& parts) {
      parts[0].header.flags = 0;
      parts[0].header.payload_bytes = 0;
      parts[0].payload.clear();
      parts[0].body[0] = std::byte{status};
    });
    const auto read = device->read(*buffer, 0, bytes);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().message().find("unknown"), read.error().message().find("unknown message type")) << read.error().message();
    EXPECT_EQ(read.error().id() == ErrorId::kLeaseLost, status == static_cast<std::uint8_t>(abi::Status::kLeaseLost));
  }
}

TEST(Hostile, ASecondReplyDoesNotUndoTheFirst) {
  Bench bench;
  auto device = bench.open();
  auto buffer = device->create_buffer(100);
  ASSERT_OK(buffer);
  lie_once(bench, [](auto& parts) { parts.push_back(parts[0]); });
  Bytes bytes(100, std::byte{1});
  EXPECT_OK(device->read(*buffer, 0, bytes));
  EXPECT_EQ(bytes, Bytes(100));
  EXPECT_OK(device->create_buffer(100));
  EXPECT_EQ(device->host_counters().recoveries, 1u);
  EXPECT_EQ(device->host_counters().protocol_errors, 1u);
}

/// Begins five writes or reads of 256 KiB, in small pieces. `lie` sees every message transfer that comes in until it has lied.
void expect_stream_refused(const char* what, bool reading, std::function<bool(std::vector<Part>&)> lie, ErrorId id) {
  SCOPED_TRACE(what);
  constexpr std::size_t kBytes = 256 * 1024, kCount = 5;
  Bench bench;
  auto device = bench.open({.payload_chunk_bytes = 64 * 1024, .payload_chunks_in_flight = 2});
  auto buffer = device->create_buffer(kCount * kBytes);
  ASSERT_OK(buffer);
  const Bytes sent = random_bytes(kCount * kBytes, 4);
  ASSERT_OK(device->write(*buffer, 0, sent));
  bool lied = false;
  bench.tampering.on_message = [&](Bytes& bytes) {
    std::vector<Part> parts = take_apart(bytes);
    if (lied || parts.empty()) return;
    lied = lie(parts);
    bytes = put_together(std::move(parts));
  };
  std::vector<Bytes> memory(kCount, Bytes(kBytes, std::byte{1}));
  std::vector<Operation> operations;
  for (std::size_t i = 0; i < kCount; ++i) {
    auto operation = reading ? device->begin_read(*buffer, i * kBytes, memory[i]) : device->begin_write(*buffer, i * kBytes, memory[i]);
    ASSERT_OK(operation);
    operations.push_back(*std::move(operation));
  }
  std::size_t failed = 0;
  for (std::size_t i = 0; i < kCount; ++i) {
    const Result<void> outcome = operations[i].wait();
    if (!outcome) {
      ++failed;
      EXPECT_EQ(outcome.error().id(), id) << outcome.error().to_string(true);
    } else if (reading) {
      EXPECT_TRUE(std::equal(memory[i].begin(), memory[i].end(), sent.begin() + static_cast<std::ptrdiff_t>(i * kBytes))) << i;
    }
  }
  EXPECT_TRUE(lied);
  EXPECT_GT(failed, 0u);
  operations.clear();
  Bytes back(1000);
  ASSERT_OK(device->read(*buffer, 0, back));
}

/// A lie about the first transfer that has so many replies.
auto about_replies(std::size_t replies, std::function<void(std::vector<Part>&)> edit) {
  return [=](std::vector<Part>& parts) {
    if (parts.size() < replies || parts[0].header.type == abi::MessageType::kChecksums) return false;
    edit(parts);
    return true;
  };
}

/// A lie about the first checksums of more than one payload.
auto about_checksums(std::function<void(std::vector<Part>&)> edit) {
  return [=](std::vector<Part>& parts) {
    if (parts[0].header.type != abi::MessageType::kChecksums || parts[0].body.size() < 16) return false;
    edit(parts);
    parts[0].header.body_bytes = static_cast<std::uint32_t>(parts[0].body.size());
    return true;
  };
}

TEST(Hostile, AStreamIsAnsweredInItsOwnOrderOrNotAtAll) {
  expect_stream_refused("data in another order", true, about_replies(2, [](auto& parts) { std::swap(parts[0].header.sequence, parts[1].header.sequence); }), ErrorId::kProtocolViolation);
  // Each lands in the other's memory, and the checksums tell.
  expect_stream_refused("data and checksums in another order", true, [swapped = false](auto& parts) mutable {
    if (!swapped) {
      swapped = about_replies(2, [](auto& replies) { std::swap(replies[0].header.sequence, replies[1].header.sequence); })(parts);
      return false;
    }
    return about_checksums([](auto& all) { std::swap_ranges(all[0].body.begin(), all[0].body.begin() + 8, all[0].body.begin() + 8); })(parts);
  }, ErrorId::kChecksum);
  expect_stream_refused("data under another's checksum", true, about_checksums([](auto& parts) { std::swap_ranges(parts[0].body.begin() + 4, parts[0].body.begin() + 8, parts[0].body.begin() + 12); }),
                        ErrorId::kChecksum);
  expect_stream_refused("checksums in another order", true, about_checksums([](auto& parts) { std::swap_ranges(parts[0].body.begin(), parts[0].body.begin() + 8, parts[0].body.begin() + 8); }),
                        ErrorId::kProtocolViolation);
  expect_stream_refused("a checksum too few", true, about_checksums([](auto& parts) { parts[0].body.resize(parts[0].body.size() - 8); }), ErrorId::kProtocolViolation);
  expect_stream_refused("a checksum too many", true, about_checksums([](auto& parts) { parts[0].body.resize(parts[0].body.size() + 8); }), ErrorId::kProtocolViolation);
  expect_stream_refused("something else instead of checksums", true, about_checksums([](auto& parts) {
    parts[0].header.type = abi::MessageType::kReply;
    parts[0].body.resize(16);
  }), ErrorId::kProtocolViolation);
  expect_stream_refused("a checksum ahead and behind", true, about_replies(2, [](auto& parts) { parts[0].header.flags |= static_cast<std::uint16_t>(abi::MessageFlag::kPayloadCrc); }),
                        ErrorId::kProtocolViolation);
  expect_stream_refused("one payload for two", true, about_replies(2, [](auto& parts) { parts[1].header.sequence = parts[0].header.sequence; }), ErrorId::kProtocolViolation);
  expect_stream_refused("a write that has not been sent", false, about_replies(1, [](auto& parts) { parts[0].header.sequence += 3; }), ErrorId::kProtocolViolation);
  expect_stream_refused("two answers to one write", false, about_replies(2, [](auto& parts) { parts[1].header.sequence = parts[0].header.sequence; }), ErrorId::kProtocolViolation);
}

/// A reply to `sequence` that says no.
Part failed_reply(const abi::MessageHeader& like, std::uint32_t sequence) {
  const auto body = abi::encode(abi::Reply{.status = abi::Status::kBadRange});
  return {.header = {.version = like.version, .type = abi::MessageType::kReply, .epoch = like.epoch, .sequence = sequence, .body_bytes = static_cast<std::uint32_t>(body.size())},
          .body = Bytes(body.begin(), body.end()), .payload = {}};
}

TEST(Hostile, AFailedReplyBehindAGoodOneIsASecondReply) {
  Bench bench;
  auto device = bench.open();
  auto buffer = device->create_buffer(4u << 20);
  ASSERT_OK(buffer);
  lie_once(bench, [](auto& parts) { parts.push_back(failed_reply(parts[0].header, parts[0].header.sequence)); });
  {
    Bytes large(4u << 20);
    EXPECT_FAILS(device->read(*buffer, 0, large), ErrorId::kProtocolViolation);
  }
  // What the first one announced must not land in the memory of whoever has its place now.
  auto again = device->create_buffer(20'000);
  ASSERT_OK(again);
  Bytes small(20'000, std::byte{7});
  EXPECT_OK(device->read(*again, 0, small));
  EXPECT_EQ(small, Bytes(20'000));
}

TEST(Hostile, ChecksumsThatAreDueAreNotPutOff) {
  const std::vector<std::pair<const char*, std::function<void(abi::MessageHeader&)>>> lies = {
      {"another context's", [](auto& header) { header.context = 0x7777; }}, {"an older epoch's", [](auto& header) { --header.epoch; }},
      {"with a sequence number", [](auto& header) { header.sequence = 1; }}, {"with flags", [](auto& header) { header.flags = 4; }}};
  for (const auto& lie : lies)
    expect_stream_refused(lie.first, true, about_checksums([&lie](auto& parts) {
      lie.second(parts[0].header);
      abi::PayloadChecksum last;
      static_cast<void>(abi::decode(std::span<const std::byte>(parts[0].body).last(8), last));
      parts.push_back(failed_reply(parts[0].header, last.sequence));
    }), ErrorId::kProtocolViolation);
}

TEST(Hostile, ChecksumsThatNeverComeEndTheirReadsInTime) {
  Bench bench;
  auto device = bench.open();
  auto buffer = device->create_buffer(5u << 20);
  ASSERT_OK(buffer);
  bool dropped = false;
  bench.tampering.on_message = [&](Bytes& bytes) {
    const std::vector<Part> parts = take_apart(bytes);
    if (dropped || parts.empty() || parts[0].header.type != abi::MessageType::kChecksums) return;
    dropped = true;
    bytes.clear();
  };
  Bytes large(5u << 20), small(100);
  const TimePoint begun = device->now();
  const Result<void> outcome = device->read(*buffer, 0, large);
  EXPECT_TRUE(dropped);
  EXPECT_FALSE(outcome);
  EXPECT_LT(device->now() - begun, 60s);
  auto again = device->create_buffer(100);
  ASSERT_OK(again);
  EXPECT_OK(device->read(*again, 0, small));
}

TEST(Hostile, ReadsThatAreGivenUpBeforeTheirChecksumsComeHarmNobody) {
  Bench bench;
  auto device = bench.open();
  auto buffer = device->create_buffer(5u << 20);
  ASSERT_OK(buffer);
  for (int waits = 0; waits < 12; ++waits) {
    auto large = std::make_unique<Bytes>(5u << 20);
    {
      auto operation = device->begin_read(*buffer, 0, *large);
      ASSERT_OK(operation);
      for (int i = 0; i < waits; ++i) device->wait(device->now() + 2ms);
    }
    large.reset();  // the address sanitizer sees who still uses it
    Bytes small(20'000, std::byte{1});
    EXPECT_OK(device->read(*buffer, 0, small));
    EXPECT_EQ(small, Bytes(20'000));
  }
  EXPECT_EQ(device->host_counters().recoveries, 0u);
}

TEST(Hostile, RepliesOfAnOlderEpochAreDropped) {
  Bench bench;
  auto device = bench.open();
  auto buffer = device->create_buffer(100);
  ASSERT_OK(buffer);
  lie_once(bench, [](auto& parts) {
    Part stale = parts[0];
    --stale.header.epoch;
    stale.header.sequence += 5;
    parts.insert(parts.begin(), stale);
  });
  Bytes bytes(100);
  EXPECT_OK(device->read(*buffer, 0, bytes));
  EXPECT_EQ(device->host_counters().stale_messages, 1u);
}

TEST(Hostile, ANewerEpochMeansThatSomebodyResetTheDevice) {
  Bench bench;
  auto device = bench.open();
  auto buffer = device->create_buffer(100);
  ASSERT_OK(buffer);
  lie_once(bench, [](auto& parts) { ++parts[0].header.epoch; });
  Bytes bytes(100);
  EXPECT_FAILS(device->read(*buffer, 0, bytes), ErrorId::kStaleEpoch);
  EXPECT_EQ(device->state(), State::kLost);
}

TEST(Hostile, PayloadWithAWrongChecksumIsNotDelivered) {
  Bench bench;
  auto device = bench.open();
  auto buffer = device->create_buffer(100);
  ASSERT_OK(buffer);
  Bytes bytes(100);
  lie_once(bench, [](auto& parts) {
    parts[0].header.flags |= static_cast<std::uint16_t>(abi::MessageFlag::kPayloadCrc);
    parts[0].header.payload_crc = crc32c(std::span<const std::byte>(parts[0].payload).first(100)) ^ 1;
  });
  EXPECT_FAILS(device->read(*buffer, 0, bytes), ErrorId::kChecksum);
  EXPECT_EQ(device->host_counters().recoveries, 0u);  // the message itself was in order
  EXPECT_OK(device->read(*buffer, 0, bytes));
}

TEST(Hostile, CompletionsOutOfOrderEndNoJobWell) {
  for (int lie = 0; lie < 6; ++lie) {
    SCOPED_TRACE(lie);
    Bench bench;
    auto device = bench.open();
    auto stream = device->load_stream(empty_stream());
    ASSERT_OK(stream);
    auto queue = device->queue(0);
    lie_once(bench, [lie](auto& parts) {
      for (Part& part : parts) {
        if (part.header.type != abi::MessageType::kCompletion) continue;
        abi::Completion completion;
        ASSERT_EQ(abi::decode(part.body, completion), abi::Decoded::kOk);
        if (lie == 0) completion.queue = 77;
        if (lie == 1) completion.queue = 1;
        if (lie == 2) ++completion.first_fence, ++completion.last_fence;
        if (lie == 3) completion.last_fence = ~std::uint64_t{0};
        if (lie == 4) completion.first_fence = 0;
        if (lie == 5) completion.last_fence = completion.first_fence - 1;
        const auto body = abi::encode(completion);
        part.body.assign(body.begin(), body.end());
      }
    });
    auto job = queue->submit({.stream = &*stream});
    ASSERT_OK(job);
    EXPECT_FAILS(job->wait(), ErrorId::kProtocolViolation);
    auto again = device->load_stream(empty_stream());
    ASSERT_OK(again);
    auto next = queue->submit({.stream = &*again});
    ASSERT_OK(next);
    EXPECT_OK(next->wait());
  }
}

TEST(Hostile, ADeviceThatOnlyLiesIsGivenUp) {
  Bench bench;
  auto device = bench.open();
  bench.tampering.on_message = [](Bytes& bytes) {
    for (std::byte& byte : bytes) byte ^= std::byte{0x55};
  };
  for (int i = 0; i < 10 && device->state() != State::kLost; ++i) EXPECT_FALSE(device->create_buffer(16));
  EXPECT_EQ(device->state(), State::kLost);
  EXPECT_FAILS(device->create_buffer(16), ErrorId::kDeviceLost);
}

/// What a session does with a device; true when all went well. Wrong bytes that were reported as right fail the test.
bool exercise(Bench& bench, std::map<ErrorId, int>& errors) {
  const auto note = [&errors](const Error& error) {
    if (error.id() == ErrorId::kInternal) ADD_FAILURE() << error.to_string(true);
    ++errors[error.id()];
    return false;
  };
  auto opened = bench.try_open({.payload_chunk_bytes = 64 * 1024});
  if (!opened) return note(opened.error());
  Device& device = **opened;
  auto setup = CopySetup::make(device, 40000);
  if (!setup) return note(setup.error());
  auto queue = device.queue(1);
  const auto bindings = setup->bind();
  const Bytes input = random_bytes(40000, 9);
  Bytes output(40000), small(300);
  const JobWrite write{.buffer = &setup->input, .offset = 0, .bytes = input};
  const JobRead reads[] = {{.buffer = &setup->output, .offset = 0, .bytes = output}, {.buffer = &setup->output, .offset = 100, .bytes = small}};
  auto job = queue->submit({.stream = &setup->stream, .bindings = bindings, .writes = {&write, 1}, .reads = reads});
  if (!job) return note(job.error());
  JobDescription description{.stream = &setup->stream, .bindings = bindings};
  std::vector<JobDescription> descriptions(5, description);
  std::vector<Job> jobs(5);
  if (auto batch = queue->submit_batch(descriptions, jobs); !batch) return note(batch.error());
  jobs[3].cancel();
  bool well = true;
  if (auto result = job->wait(); !result) {
    well = note(result.error());
  } else {
    EXPECT_EQ(device.host_counters().jobs_done > 0, true);
  }
  for (Job& other : jobs) {
    auto result = other.wait();
    EXPECT_TRUE(other.done());
    if (!result && result.error().id() != ErrorId::kJobCancelled) well = note(result.error());
  }
  return well;
}

TEST(Hostile, TenThousandMutatedMessagesGiveErrorsOnly) {
  constexpr std::uint64_t kSeed = 20261123;
  Random random(kSeed);
  std::map<ErrorId, int> errors;
  int mutated = 0, unharmed = 0, rounds = 0;
  while (mutated < 10000) {
    ++rounds;
    Bench bench("tiny");
    // From lies all the time to one in about nine transfers.
    const std::uint64_t rate = 1 + random.below(8);
    bench.tampering.on_message = [&](Bytes& bytes) {
      if (bytes.empty() || !random.chance(rate)) return;
      ++mutated;
      std::vector<Part> parts = take_apart(bytes);
      if (!parts.empty() && random.chance(2)) {
        const std::size_t which = random.below(parts.size());
        Part& part = parts[which];
        switch (random.below(5)) {
          case 0: {
            auto header = abi::encode(part.header);
            header[random.below(40)] ^= static_cast<std::byte>(1u << random.below(8));
            (void)abi::decode(header, part.header);
            break;
          }
          case 1:
            if (!part.body.empty()) part.body[random.below(part.body.size())] ^= static_cast<std::byte>(1u << random.below(8));
            break;
          case 2: parts.push_back(Part(part)); break;
          case 3: std::swap(part, parts.front()); break;
          case 4: parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(which)); break;
        }
        bytes = put_together(std::move(parts));
      } else {
        switch (random.below(3)) {
          case 0:
            for (std::uint64_t i = 0; i <= random.below(4); ++i) bytes[random.below(bytes.size())] ^= static_cast<std::byte>(1u << random.below(8));
            break;
          case 1: bytes.resize(random.below(bytes.size())); break;
          case 2: bytes = random_bytes(1 + random.below(2000), random.next()); break;
        }
      }
    };
    unharmed += exercise(bench, errors) ? 1 : 0;
    if (testing::Test::HasFailure()) break;
  }
  std::printf("%d mutated messages in %d sessions, %d of them ended well\n", mutated, rounds, unharmed);
  for (const auto& [id, count] : errors) std::printf("  NARU-%04u %-24s %d\n", static_cast<unsigned>(id), std::string(error_row(id).name).c_str(), count);
  EXPECT_EQ(errors.count(ErrorId::kInternal), 0u);
  EXPECT_GT(errors[ErrorId::kProtocolViolation] + errors[ErrorId::kChecksum], 0);
}

}  // namespace
}  // namespace naru::driver::test
