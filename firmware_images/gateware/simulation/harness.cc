// The compiled accelerator and its memory chip behind a plain C interface.
//
// It knows the design's ports, the chip model and time in clock cycles; it does not know messages.
// Bytes pushed are taken by the design as it is ready for them, no faster than one in
// `byte_cycles` clocks; bytes that it sends wait in a queue, spaced likewise.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <string>

#include "design.cc"
#include "sdram_chip.h"

namespace {

struct Board {
  cxxrtl_design::p_top top;
  SdramChip chip;
  std::deque<uint8_t> in, out;
  uint64_t cycles = 0;
  uint64_t next_in = 0, next_out = 0;
  uint32_t byte_cycles = 0;
  std::string error;

  explicit Board(const SdramChip::Timing& timing) : chip(timing) {}

  void edge() {
    top.p_clk.set<bool>(false);
    top.step();
    top.p_clk.set<bool>(true);
    top.step();
  }

  void cycle() {
    const bool offer = !in.empty() && cycles >= next_in;
    top.p_rx____valid.set<bool>(offer);
    if (offer) top.p_rx____payload.set<uint8_t>(in.front());
    top.p_tx____ready.set<bool>(cycles >= next_out);
    // What the pins carry during this cycle was computed at the last edge.
    const bool taken = offer && top.p_rx____ready.get<bool>();
    const bool sent = cycles >= next_out && top.p_tx____valid.get<bool>();
    const uint8_t byte = top.p_tx____payload.get<uint8_t>();
    memory();
    edge();
    if (taken) {
      in.pop_front();
      next_in = cycles + byte_cycles;
    }
    if (sent) {
      out.push_back(byte);
      next_out = cycles + byte_cycles;
    }
    ++cycles;
  }

  void memory();
};

}  // namespace
