// A known-answer job per operator that the NPU has (RESHAPE moves nothing, DEQUANTIZE is the host's): the device's bytes against answers that were shipped with this program.
#include <fmt/format.h>

#include <algorithm>

#include "runtime/diagnostics/battery.h"
#include "runtime/diagnostics/known_answers.h"

namespace naru::sdk::runtime::diagnostics {
namespace {

Result<Outcome> run_case(driver::Device& device, const KnownAnswerCase& test, std::span<const unsigned char> answer) {
  NARU_CHECK_OK(answer.size() == test.output_bytes ? Result<void>() : fail(ErrorId::kInternal, fmt::format("{} has no answer of its size", test.name)));
  NARU_TRY(const driver::Buffer input, device.create_buffer(test.input.size()));
  NARU_TRY(const driver::Buffer output, device.create_buffer(test.output_bytes));
  NARU_CHECK_OK(device.write(input, 0, test.input));
  const driver::Buffer* const buffers[] = {&input, &output};
  NARU_TRY([[maybe_unused]] const driver::JobResult job, run_job(device, test.stream, buffers));
  std::vector<std::byte> bytes(test.output_bytes);
  NARU_CHECK_OK(device.read(output, 0, bytes));
  std::size_t differing = 0, first = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    if (static_cast<unsigned char>(bytes[i]) != answer[i] && differing++ == 0) first = i;
  if (differing != 0)
    return failed(fmt::format("{} of {} bytes differ from the known answer, first byte {}: {:#04x} instead of {:#04x}", differing, bytes.size(), first, static_cast<unsigned>(bytes[first]), answer[first]));
  return pass({});
}

template <std::size_t NameIndex>
Result<Outcome> run_operator_test(driver::Device& device);

constexpr std::string_view kAction = "Do not trust results of this operator: replace the device.";
constexpr Test kOperatorTests[] = {
    {"operator.conv2d", 841, 2, kAction, run_operator_test<0>, kCable, true},          {"operator.fully_connected", 842, 2, kAction, run_operator_test<1>, kCable, true},
    {"operator.depthwise_conv2d", 843, 2, kAction, run_operator_test<2>, kCable, true}, {"operator.average_pool2d", 844, 2, kAction, run_operator_test<3>, kCable, true},
    {"operator.max_pool2d", 845, 2, kAction, run_operator_test<4>, kCable, true},      {"operator.add", 846, 2, kAction, run_operator_test<5>, kCable, true},
    {"operator.mul", 847, 2, kAction, run_operator_test<6>, kCable, true},             {"operator.quantize", 848, 2, kAction, run_operator_test<7>, kCable, true},
    {"operator.table", 849, 2, kAction, run_operator_test<8>, kCable, true},           {"operator.mean", 850, 2, kAction, run_operator_test<9>, kCable, true},
    {"operator.softmax", 851, 2, kAction, run_operator_test<10>, kCable, true},        {"operator.transpose", 852, 2, kAction, run_operator_test<11>, kCable, true},
    {"operator.relu", 853, 2, kAction, run_operator_test<12>, kCable, true},           {"operator.pad", 854, 2, kAction, run_operator_test<13>, kCable, true},
    {"operator.concatenation", 855, 2, kAction, run_operator_test<14>, kCable, true},  {"operator.batch_matmul", 856, 2, kAction, run_operator_test<15>, kCable, true},
    {"operator.resize_bilinear", 857, 2, kAction, run_operator_test<16>, kCable, true}, {"operator.gates", 858, 2, kAction, run_operator_test<17>, kCable, true},
    {"operator.svdf", 859, 2, kAction, run_operator_test<18>, kCable, true},
};

template <std::size_t NameIndex>
Result<Outcome> run_operator_test(driver::Device& device) {
  const std::vector<KnownAnswerCase> cases = known_answer_cases();
  const auto answers = known_answers();
  if (answers.size() != cases.size()) return fail(ErrorId::kInternal, "The known answers do not belong to the known-answer cases");
  std::size_t jobs = 0, bytes = 0;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (cases[i].name != kOperatorTests[NameIndex].name) continue;
    NARU_TRY(Outcome outcome, run_case(device, cases[i], answers[i]));
    if (outcome.verdict != Verdict::kPass) return outcome;
    ++jobs;
    bytes += cases[i].output_bytes;
  }
  if (jobs == 0) return fail(ErrorId::kInternal, fmt::format("{} has no case", kOperatorTests[NameIndex].name));
  return pass(fmt::format("{} known answer{}, {} bytes", jobs, jobs == 1 ? "" : "s", bytes));
}

}  // namespace

std::span<const Test> operator_tests() { return kOperatorTests; }

}  // namespace naru::sdk::runtime::diagnostics
