// What became of mutated things: by the check that refused them, or executed and judged.
#pragma once

#include <cstdio>
#include <map>
#include <string>

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

  void print(const char* what) const {
    std::printf("    %u mutated %s: %u past framing (%.0f %%), %u executed (%.0f %%), %u of these judged by the reference\n", total_, what, past_framing_, 100.0 * past_framing_ / total_, executed_,
                100.0 * executed_ / total_, judged_);
    for (const auto& [by, count] : refused_) std::printf("      %6u refused by %s\n", count, by.c_str());
  }

 private:
  std::map<std::string, unsigned> refused_;
  unsigned total_ = 0, executed_ = 0, judged_ = 0, past_framing_ = 0;
};

}  // namespace naru::testing
