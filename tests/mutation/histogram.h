// What became of mutated things: by the check that refused them, or executed and judged. 10,000 of them are made: 4,500 command streams, 3,000 messages, 2,500 packages.
#pragma once

#include <fmt/format.h>

#include <map>
#include <string>

#include "support/measured.h"

namespace naru::testing {

class Histogram {
 public:
  void refused(const std::string& by) {
    ++refused_[by];
    ++total_;
  }
  void executed(bool judged) {
    ++executed_;
    if (judged) ++judged_;
    ++total_;
  }
  void got_past_framing() { ++past_framing_; }

  unsigned total() const { return total_; }
  unsigned executed() const { return executed_; }
  unsigned judged() const { return judged_; }
  unsigned past_framing() const { return past_framing_; }
  std::size_t checks() const { return refused_.size(); }

  /// Kept with the test's result.
  void record(const char* what) const {
    const auto share = [&](unsigned count) { return 100.0 * count / total_; };
    std::string text = fmt::format("{} mutated {}: {} past framing ({:.0f} %), {} executed ({:.0f} %), {} of these judged by the reference", total_, what, past_framing_, share(past_framing_), executed_,
                                   share(executed_), judged_);
    for (const auto& [by, count] : refused_) text += fmt::format("\n      {:6} refused by {}", count, by);
    record_measured(text);
  }

 private:
  std::map<std::string, unsigned> refused_;
  unsigned total_ = 0, executed_ = 0, judged_ = 0, past_framing_ = 0;
};

}  // namespace naru::testing
