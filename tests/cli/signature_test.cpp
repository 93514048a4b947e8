// --signature: the subgraph that runs, what inspect says of the others, and what is refused.
#include <nlohmann/json.hpp>

#include "../frontend/two_subgraphs.h"
#include "naru/base/file.h"
#include "support.h"

using namespace naru::testing;
using Json = nlohmann::json;

namespace {

std::string make_model(const Folder& folder) {
  EXPECT_TRUE(naru::write_file(folder / "two.tflite", *naru::testing_models::two_subgraphs().bytes()));
  return folder / "two.tflite";
}

std::string kind_of_first(const std::vector<std::string>& arguments) {
  const Outcome outcome = run_naru(arguments);
  EXPECT_EQ(outcome.exit, 0) << outcome.err;
  return Json::parse(outcome.out, nullptr, false)["operators"][0].value("kind", "");
}

}  // namespace

TEST(Signature, ChoosesWhatIsInspectedCompiledAndRun) {
  const Folder folder;
  const std::string model = make_model(folder), package = folder / "second.naru";
  EXPECT_EQ(kind_of_first({"inspect", model, "--json"}), "RELU");
  EXPECT_EQ(kind_of_first({"inspect", model, "--signature", "first", "--json"}), "RELU");
  EXPECT_EQ(kind_of_first({"inspect", model, "--signature", "second", "--json"}), "TANH");
  const std::string text = run_naru({"inspect", model}).out;
  EXPECT_NE(text.find("\"second\": given -> found; subgraph 1, see --signature"), std::string::npos) << text;
  EXPECT_NE(text.find("0 of 2 in the file"), std::string::npos) << text;
  EXPECT_EQ(run_naru({"run", model, "--signature", "second", "--device", "mock", "--check"}).exit, 0);
  EXPECT_EQ(run_naru({"verify", model, "--signature", "second"}).exit, 0);
  EXPECT_NE(run_naru({"disasm", model, "--signature", "second"}).out.find("table"), std::string::npos);
  ASSERT_EQ(run_naru({"compile", model, "--signature", "second", "-o", package}).exit, 0);
  EXPECT_EQ(kind_of_first({"inspect", package, "--json"}), "TANH");
}

TEST(Signature, ThatIsNotThereIsRefusedWithThoseThatAre) {
  const Folder folder;
  const std::string model = make_model(folder), package = folder / "first.naru";
  const Outcome unknown = run_naru({"run", model, "--signature", "third", "--device", "mock"});
  EXPECT_EQ(unknown.exit, 2);
  EXPECT_NE(unknown.err.find("It has: second, first."), std::string::npos) << unknown.err;
  ASSERT_EQ(run_naru({"compile", model, "-o", package}).exit, 0);
  EXPECT_EQ(run_naru({"run", package, "--signature", "first", "--device", "mock"}).exit, 2);
}
