// Goal: the host controller keeps USB's packet rules and chapter 9, whatever the function does. Method: a function whose every landing and
// offer the test writes, and which notes what it was told.
#include <gtest/gtest.h>

#include <deque>
#include <numeric>

#include "naru/usb/host_controller.h"

namespace naru::usb {
namespace {

constexpr std::uint8_t kOut = 0x01, kIn = 0x82;
constexpr std::size_t kPacket = 512;

class ScriptedFunction final : public Function {
 public:
  struct Landed {
    std::size_t bytes = 0;
    bool ends = false;
    friend bool operator==(const Landed&, const Landed&) = default;
  };
  struct Offer {
    std::vector<std::byte> bytes;
    bool ends = false;
    std::size_t taken = 0;
  };

  const DeviceDescription& description() const noexcept override { return description_; }
  std::optional<std::size_t> setup(const SetupPacket& packet, std::span<const std::byte> out, std::span<std::byte> in) override {
    setups.push_back(packet);
    setup_out.assign(out.begin(), out.end());
    if (packet.request == 0x55) return std::nullopt;
    for (std::byte& byte : in) byte = std::byte{0x5A};
    return packet.is_in() ? std::min(in.size(), answer_bytes) : out.size();
  }
  std::span<std::byte> out_begin(std::uint8_t) override { return std::span(landing).first(landing_bytes); }
  void out_end(std::uint8_t, std::size_t bytes, bool ends) override {
    received.insert(received.end(), landing.begin(), landing.begin() + static_cast<long>(bytes));
    landed.push_back({bytes, ends});
    if (naks_after != 0 && --naks_after == 0) landing_bytes = 0;
  }
  std::optional<InOffer> in_peek(std::uint8_t) override {
    if (offers.empty()) return std::nullopt;
    return InOffer{std::span(offers.front().bytes).subspan(offers.front().taken), offers.front().ends};
  }
  void in_done(std::uint8_t, std::size_t bytes, bool completed) override {
    if (bytes == 0 && !completed) return;
    Offer& front = offers.front();
    front.taken += bytes;
    if (completed || (front.taken == front.bytes.size() && !front.ends)) offers.pop_front();
  }
  bool halted(std::uint8_t endpoint) const noexcept override { return endpoint == halted_endpoint; }
  void set_halt(std::uint8_t endpoint, bool halt) override {
    if (halt) halted_endpoint = endpoint;
    else if (halted_endpoint == endpoint) halted_endpoint = 0;
  }
  void set_configuration(std::uint8_t value) override { configurations.push_back(value); }
  void bus_reset() override { ++resets; }
  const Clock& clock() const noexcept override { return clock_; }
  StepResult step(TimePoint until, std::uint64_t) override {
    clock_.advance_to(until);
    return {};
  }

  void offer(std::size_t bytes, bool ends) {
    Offer next{.bytes = std::vector<std::byte>(bytes), .ends = ends};
    for (std::size_t i = 0; i < bytes; ++i) next.bytes[i] = static_cast<std::byte>(i * 7 + bytes);
    offers.push_back(std::move(next));
  }

  std::vector<std::byte> landing = std::vector<std::byte>(1 << 16), received, setup_out;
  std::size_t landing_bytes = 1 << 16, answer_bytes = 1 << 16;
  unsigned naks_after = 0, resets = 0;
  std::vector<Landed> landed;
  std::deque<Offer> offers;
  std::vector<SetupPacket> setups;
  std::vector<unsigned> configurations;
  std::uint8_t halted_endpoint = 0;

 private:
  DeviceDescription description_{.vendor_id = 0x1209, .product_id = 2, .manufacturer = "Naru", .product = "NPU", .serial = "S1",
                                 .endpoints = {{.address = kOut, .packet_bytes = kPacket}, {.address = kIn, .packet_bytes = kPacket}}};
  VirtualClock clock_;
};

struct Request {
  explicit Request(std::uint8_t endpoint, std::size_t bytes) : data(bytes), memory(data) {
    for (std::size_t i = 0; i < bytes; ++i) data[i] = static_cast<std::byte>(i);
    urb.endpoint = endpoint;
    urb.length = bytes;
    urb.memory = &memory;
  }
  std::vector<std::byte> data;
  SpanMemory memory;
  Urb urb;
};

class HostControllerTest : public ::testing::Test {
 protected:
  /// Submits and pumps; what comes back is `request`, or nothing.
  bool run(Request& request) {
    controller.submit(request.urb);
    controller.pump();
    Urb* done = controller.reap();
    EXPECT_TRUE(done == nullptr || done == &request.urb);
    return done != nullptr;
  }
  Request control(std::uint8_t type, std::uint8_t request, std::uint16_t value, std::uint16_t index, std::size_t bytes) {
    Request made(0, bytes);
    made.urb.setup = {.request_type = type, .request = request, .value = value, .index = index, .length = static_cast<std::uint16_t>(bytes)};
    return made;
  }

  ScriptedFunction function;
  HostController controller{function};
};

using Landed = std::vector<ScriptedFunction::Landed>;

TEST_F(HostControllerTest, EndsAnOutTransferWithAShortPacketOrAZeroLengthOneOrNotAtAll) {
  for (const auto& [bytes, zero_packet, landed] : {std::tuple{100ul, false, Landed{{100, true}}}, {100ul, true, Landed{{100, true}}}, {1024ul, false, Landed{{1024, false}}},
                                                   {1024ul, true, Landed{{1024, true}}}, {0ul, false, Landed{{0, true}}}, {0ul, true, Landed{{0, true}}}}) {
    function.landed.clear();
    Request request(kOut, bytes);
    request.urb.zero_packet = zero_packet;
    ASSERT_TRUE(run(request));
    EXPECT_EQ(request.urb.status, UrbStatus::kOk);
    EXPECT_EQ(request.urb.actual, bytes);
    EXPECT_EQ(function.landed, landed) << bytes << zero_packet;
  }
}

TEST_F(HostControllerTest, SplitsAnOutTransferOverLandingSpansAndSendsTheZeroLengthPacketToTheNextOne) {
  function.landing_bytes = kPacket;
  Request request(kOut, 2 * kPacket);
  request.urb.zero_packet = true;
  ASSERT_TRUE(run(request));
  EXPECT_EQ(function.landed, (Landed{{kPacket, false}, {kPacket, false}, {0, true}}));
  EXPECT_EQ(function.received, request.data);
}

TEST_F(HostControllerTest, LeavesAnOutTransferPendingWhileTheDeviceNaks) {
  function.landing_bytes = kPacket;
  function.naks_after = 1;
  Request request(kOut, 1000);
  EXPECT_FALSE(run(request));
  EXPECT_EQ(request.urb.actual, kPacket);
  function.landing_bytes = 4096;
  EXPECT_TRUE(controller.pump());
  EXPECT_EQ(controller.reap(), &request.urb);
  EXPECT_EQ(request.urb.status, UrbStatus::kOk);
  EXPECT_EQ(function.received, request.data);
}

TEST_F(HostControllerTest, EndsAnInTransferAtAShortPacket) {
  function.offer(700, true);
  Request request(kIn, 4096);
  ASSERT_TRUE(run(request));
  EXPECT_EQ(request.urb.status, UrbStatus::kOk);
  EXPECT_EQ(request.urb.actual, 700u);
  EXPECT_EQ(request.data[699], static_cast<std::byte>((699 * 7 + 700) & 0xFF));
  EXPECT_TRUE(function.offers.empty());
}

TEST_F(HostControllerTest, EndsAnInTransferAtAZeroLengthPacketThatFollowsAFullRequest) {
  function.offer(1024, true);
  Request first(kIn, 1024), second(kIn, 1024);
  ASSERT_TRUE(run(first));
  EXPECT_EQ(first.urb.actual, 1024u);
  ASSERT_EQ(function.offers.size(), 1u);  // the zero-length packet is still to come
  ASSERT_TRUE(run(second));
  EXPECT_EQ(second.urb.status, UrbStatus::kOk);
  EXPECT_EQ(second.urb.actual, 0u);
  EXPECT_TRUE(function.offers.empty());
}

TEST_F(HostControllerTest, FillsALargeRequestFromOffersThatDoNotEnd) {
  function.offer(512, false);
  function.offer(512, false);
  Request request(kIn, 2048);
  EXPECT_FALSE(run(request));
  EXPECT_EQ(request.urb.actual, 1024u);
  function.offer(100, true);
  EXPECT_TRUE(controller.pump());
  EXPECT_EQ(controller.reap(), &request.urb);
  EXPECT_EQ(request.urb.actual, 1124u);
}

TEST_F(HostControllerTest, ReportsAPacketThatIsLargerThanTheRoomAsOverflow) {
  function.offer(600, true);
  Request request(kIn, 550);
  ASSERT_TRUE(run(request));
  EXPECT_EQ(request.urb.status, UrbStatus::kOverflow);
  EXPECT_EQ(request.urb.actual, 512u);
  EXPECT_TRUE(function.offers.empty());  // the packet that babbled is gone
}

TEST_F(HostControllerTest, RefusesAShortPacketWhereItMustNotBeAndCancelsWhatContinues) {
  function.offer(100, true);
  function.offer(1024, false);
  Request first(kIn, 1024), second(kIn, 1024), third(kIn, 1024);
  first.urb.short_not_ok = true;
  second.urb.continuation = true;
  controller.submit(first.urb);
  controller.submit(second.urb);
  controller.submit(third.urb);
  controller.pump();
  EXPECT_EQ(controller.reap(), &first.urb);
  EXPECT_EQ(controller.reap(), &second.urb);
  EXPECT_EQ(controller.reap(), &third.urb);
  EXPECT_EQ(first.urb.status, UrbStatus::kShort);
  EXPECT_EQ(second.urb.status, UrbStatus::kCancelled);
  EXPECT_EQ(third.urb.status, UrbStatus::kOk);
  EXPECT_EQ(third.urb.actual, 1024u);
}

TEST_F(HostControllerTest, StallsEveryUrbOfAHaltedEndpointUntilTheHaltIsCleared) {
  function.halted_endpoint = kOut;
  Request first(kOut, 10), second(kOut, 10), third(kOut, 10);
  ASSERT_TRUE(run(first));
  ASSERT_TRUE(run(second));
  EXPECT_EQ(first.urb.status, UrbStatus::kStalled);
  EXPECT_EQ(second.urb.status, UrbStatus::kStalled);
  EXPECT_TRUE(controller.clear_halt(kOut));
  EXPECT_FALSE(controller.clear_halt(0x05));
  ASSERT_TRUE(run(third));
  EXPECT_EQ(third.urb.status, UrbStatus::kOk);
}

TEST_F(HostControllerTest, CancelsAPendingUrbOnceAndKeepsItsBytes) {
  function.offer(512, false);
  Request request(kIn, 2048);
  EXPECT_FALSE(run(request));
  EXPECT_TRUE(controller.cancel(request.urb));
  EXPECT_FALSE(controller.cancel(request.urb));
  EXPECT_EQ(controller.reap(), &request.urb);
  EXPECT_EQ(controller.reap(), nullptr);
  EXPECT_EQ(request.urb.status, UrbStatus::kCancelled);
  EXPECT_EQ(request.urb.actual, 512u);
}

TEST_F(HostControllerTest, EndsEverythingWhenUnpluggedAndStartsOverWhenPlugged) {
  function.landing_bytes = 0;
  Request out(kOut, 10), in(kIn, 512), later(kOut, 10), after(kOut, 10);
  controller.submit(out.urb);
  controller.submit(in.urb);
  controller.pump();
  controller.unplug();
  ASSERT_TRUE(controller.reap() != nullptr && controller.reap() != nullptr);
  EXPECT_EQ(out.urb.status, UrbStatus::kNoDevice);
  EXPECT_EQ(in.urb.status, UrbStatus::kNoDevice);
  ASSERT_TRUE(run(later));
  EXPECT_EQ(later.urb.status, UrbStatus::kNoDevice);
  EXPECT_FALSE(controller.clear_halt(kOut));
  const unsigned resets = function.resets;
  controller.plug();
  EXPECT_EQ(function.resets, resets + 1);
  function.landing_bytes = 4096;
  ASSERT_TRUE(run(after));
  EXPECT_EQ(after.urb.status, UrbStatus::kOk);
}

TEST_F(HostControllerTest, EndsAnUrbWhoseMemoryCannotBeReached) {
  class Unreachable final : public UrbMemory {
    bool read(std::size_t, std::span<std::byte>) noexcept override { return false; }
    bool write(std::size_t, std::span<const std::byte>) noexcept override { return false; }
  } memory;
  function.offer(512, true);
  Request out(kOut, 10), in(kIn, 512);
  out.urb.memory = in.urb.memory = &memory;
  ASSERT_TRUE(run(out));
  ASSERT_TRUE(run(in));
  EXPECT_EQ(out.urb.status, UrbStatus::kFault);
  EXPECT_EQ(in.urb.status, UrbStatus::kFault);
}

TEST_F(HostControllerTest, RefusesEndpointsThatAreNotThere) {
  Request request(0x07, 10);
  ASSERT_TRUE(run(request));
  EXPECT_EQ(request.urb.status, UrbStatus::kNoEndpoint);
}

TEST_F(HostControllerTest, AnswersStandardRequestsAndPassesVendorRequestsOn) {
  struct Case {
    std::uint8_t type, request;
    std::uint16_t value, index;
    std::size_t bytes, actual;
  };
  const std::vector<Case> answered = {
      {0x80, 6, 0x0100, 0, 18, 18},   {0x80, 6, 0x0100, 0, 8, 8},  {0x80, 6, 0x0200, 0, 255, configuration_descriptor(function.description()).size()},
      {0x80, 6, 0x0F00, 0, 255, bos_descriptor(function.description()).size()}, {0x80, 6, 0x0303, 0x0409, 255, 6}, {0x80, 8, 0, 0, 1, 1}, {0x00, 9, 1, 0, 0, 0},
      {0x81, 10, 0, 0, 1, 1}, {0x01, 11, 0, 0, 0, 0}, {0x80, 0, 0, 0, 2, 2}, {0x82, 0, 0, kIn, 2, 2}, {0x02, 3, 0, kIn, 0, 0}, {0x02, 1, 0, kIn, 0, 0},
      {0xC0, kMicrosoftOsVendorCode, 0, 7, 4096, microsoft_os_descriptor_set().size()}};
  for (const Case& c : answered) {
    Request request = control(c.type, c.request, c.value, c.index, c.bytes);
    request.urb.memory = &request.memory;
    request.memory = SpanMemory(request.data);
    ASSERT_TRUE(run(request));
    EXPECT_EQ(request.urb.status, UrbStatus::kOk) << int(c.type) << " " << int(c.request);
    EXPECT_EQ(request.urb.actual, c.actual) << int(c.type) << " " << int(c.request);
  }
  EXPECT_TRUE(function.setups.empty());
  for (const Case& c : std::vector<Case>{{0x80, 6, 0x0600, 0, 10, 0}, {0x80, 6, 0x0309, 0, 10, 0}, {0x00, 9, 2, 0, 0, 0}, {0x01, 11, 1, 0, 0, 0}, {0x82, 0, 0, 0x07, 2, 0}, {0x00, 7, 0, 0, 0, 0}}) {
    Request request = control(c.type, c.request, c.value, c.index, c.bytes);
    request.urb.memory = &request.memory;
    request.memory = SpanMemory(request.data);
    ASSERT_TRUE(run(request));
    EXPECT_EQ(request.urb.status, UrbStatus::kStalled) << int(c.type) << " " << int(c.request);
  }
  Request in(0, 16);
  in.urb.setup = {.request_type = 0xC0, .request = 1, .length = 16};
  function.answer_bytes = 5;
  ASSERT_TRUE(run(in));
  EXPECT_EQ(in.urb.actual, 5u);
  EXPECT_EQ(in.data[4], std::byte{0x5A});
  EXPECT_EQ(in.data[5], std::byte{5});  // not touched
  Request out(0, 3);
  out.urb.setup = {.request_type = 0x40, .request = 2, .length = 3};
  ASSERT_TRUE(run(out));
  EXPECT_EQ(function.setup_out, out.data);
  Request refused(0, 0);
  refused.urb.setup = {.request_type = 0x40, .request = 0x55};
  ASSERT_TRUE(run(refused));
  EXPECT_EQ(refused.urb.status, UrbStatus::kStalled);
}

TEST_F(HostControllerTest, StallsDataEndpointsWhileNotConfigured) {
  Request unconfigure = control(0x00, 9, 0, 0, 0);
  ASSERT_TRUE(run(unconfigure));
  Request out(kOut, 4);
  ASSERT_TRUE(run(out));
  EXPECT_EQ(out.urb.status, UrbStatus::kStalled);
  EXPECT_EQ(function.configurations, (std::vector<unsigned>{1, 0}));
}

}  // namespace
}  // namespace naru::usb
