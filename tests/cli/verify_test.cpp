// `naru verify` as a judge: what the verifier refuses is a verdict, exit code 1; what cannot be read is a bad file.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "naru/abi/stream.h"
#include "naru/base/file.h"
#include "package/codec.h"
#include "support.h"

using namespace naru::testing;
using naru::read_file, naru::write_file;
namespace package = naru::sdk::package;
using Json = nlohmann::json;

namespace {

/// The digit model's package without the wait at `index`, hashes put right.
std::string without_wait(const Folder& folder, std::size_t index) {
  package::Package changed = package::decode(read_file(make_package(folder, "tiny")).value()).value();
  auto& job = *std::get_if<package::NpuJob>(&changed.steps.at(0));
  naru::abi::Stream stream;
  EXPECT_EQ(naru::abi::decode_stream(job.stream, stream).fault, naru::abi::StreamFault::kNone);
  std::size_t seen = 0;
  std::erase_if(stream.commands, [&](const naru::abi::Command& command) { return std::holds_alternative<naru::abi::Wait>(command.body) && seen++ == index; });
  EXPECT_GT(seen, index);
  job.stream = naru::abi::encode_stream(stream);
  EXPECT_TRUE(write_file(folder / "broken.naru", package::encode(changed)));
  return folder / "broken.naru";
}

}  // namespace

TEST(Verify, GivesAVerdictOnAStreamThatIsNotSafe) {
  const Folder folder;
  const std::string broken = without_wait(folder, 0);
  const Outcome text = run_naru({"verify", broken});
  EXPECT_EQ(text.exit, 1);
  EXPECT_NE(text.err.find("[NARU-0610]"), std::string::npos) << text.err;
  const Outcome json = run_naru({"verify", broken, "--json"});
  EXPECT_EQ(json.exit, 1);
  const Json document = Json::parse(json.out, nullptr, false);
  EXPECT_EQ(document["exit_code"], 1);
  EXPECT_EQ(document["error"]["id"], "NARU-0610");
  // For those who want to run it, it is a bad file.
  EXPECT_EQ(run_naru({"run", broken, "--device", "mock:tiny"}).exit, 11);
}

TEST(Verify, CallsAFileThatCannotBeReadABadFile) {
  const Folder folder;
  const std::string path = make_package(folder, "tiny");
  std::vector<std::byte> bytes = read_file(path).value();
  bytes.resize(bytes.size() / 2);
  ASSERT_TRUE(write_file(path, bytes));
  EXPECT_EQ(run_naru({"verify", path}).exit, 11);
}
