// The compiled accelerator and its memory chip behind a plain C interface.
//
// It knows the design's ports, the chip model and time in clock cycles; it does not know messages.
// A byte that was pushed is offered until the design takes it, the next one no sooner than
// `byte_cycles` clocks later; the same holds for the bytes that it sends.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <string>
#include <type_traits>

#include "design.cc"

static_assert(
    std::is_same<decltype(cxxrtl_design::p_top::p_tx____valid), cxxrtl::value<1>>::value,
    "an output is a register: Board::cycle would read it a clock too late");

#ifdef EDGE_SDRAM
#include "sdram_chip.h"
#include "sdram_parameters.h"  // kSdram
#endif

namespace {

struct Board {
  cxxrtl_design::p_top top;
  std::deque<uint8_t> in, out;
  uint64_t cycles = 0, next_in = 0, next_out = 0;
  uint32_t byte_cycles = 0;
  bool frame_sent = false;
#ifdef EDGE_SDRAM
  edge::SdramChip chip{kSdram};
  uint32_t dq = 0;
#endif

  // One evaluation a clock: it computes what the inputs and the registers before the edge lead to,
  // and then the edge. Outputs are combinational in the generated code, so after it they are still
  // those of the clock that ended.
  void cycle() {
    const bool offer = !in.empty() && cycles >= next_in;
    const bool accept = cycles >= next_out;
    top.p_rx____valid.set<bool>(offer);
    top.p_rx____payload.set<uint8_t>(offer ? in.front() : 0);
    top.p_tx____ready.set<bool>(accept);
#ifdef EDGE_SDRAM
    top.p_sdram____dq__i.set<uint32_t>(dq);
#endif
    top.prev_p_clk = cxxrtl::value<1>{0u};
    top.p_clk.set<bool>(true);
    top.step();
#ifdef EDGE_SDRAM
    edge::SdramInputs pins;
    pins.cke = top.p_sdram____cke.get<bool>();
    pins.cs = top.p_sdram____cs.get<bool>();
    pins.ras = top.p_sdram____ras.get<bool>();
    pins.cas = top.p_sdram____cas.get<bool>();
    pins.we = top.p_sdram____we.get<bool>();
    pins.ba = top.p_sdram____ba.get<uint32_t>();
    pins.a = top.p_sdram____a.get<uint32_t>();
    pins.dqm = top.p_sdram____dqm.get<uint32_t>();
    pins.dq = top.p_sdram____dq__o.get<uint32_t>();
    pins.oe = top.p_sdram____dq__oe.get<bool>();
    dq = chip.step(pins).dq;
#endif
    if (offer && top.p_rx____ready.get<bool>()) {
      in.pop_front();
      next_in = cycles + byte_cycles;
    }
    if (accept && top.p_tx____valid.get<bool>()) {
      const uint8_t byte = top.p_tx____payload.get<uint8_t>();
      out.push_back(byte);
      next_out = cycles + byte_cycles;
      frame_sent = frame_sent || byte == 0;
    }
    ++cycles;
  }

  bool failed() const {
#ifdef EDGE_SDRAM
    return !chip.violation().empty();
#else
    return false;
#endif
  }
};

Board* board_of(void* handle) { return static_cast<Board*>(handle); }

}  // namespace

#ifdef _WIN32
#define EDGE_API extern "C" __declspec(dllexport)
#else
#define EDGE_API extern "C" __attribute__((visibility("default")))
#endif

EDGE_API void* board_new(uint32_t byte_cycles) {
  Board* board = new Board();
  board->byte_cycles = byte_cycles;
  return board;
}

EDGE_API void board_free(void* handle) { delete board_of(handle); }

EDGE_API void board_push(void* handle, const uint8_t* data, size_t size) {
  board_of(handle)->in.insert(board_of(handle)->in.end(), data, data + size);
}

// Puts `size` bytes at address 0 of the memory chip, as an upload would; 0 if they do not fit.
EDGE_API int board_load(void* handle, const uint8_t* data, size_t size) {
#ifdef EDGE_SDRAM
  std::vector<uint8_t>& storage = board_of(handle)->chip.storage();
  if (size > storage.size()) return 0;
  std::memcpy(storage.data(), data, size);
  return 1;
#else
  return 0;
#endif
}

EDGE_API size_t board_pending(void* handle) { return board_of(handle)->out.size(); }

EDGE_API size_t board_pop(void* handle, uint8_t* buffer, size_t size) {
  std::deque<uint8_t>& out = board_of(handle)->out;
  const size_t count = size < out.size() ? size : out.size();
  for (size_t i = 0; i < count; ++i) buffer[i] = out[i];
  out.erase(out.begin(), out.begin() + count);
  return count;
}

// Runs until `cycles` clocks have passed, a rule was broken or, if asked, a frame's last byte came.
EDGE_API uint64_t board_run(void* handle, uint64_t cycles, int until_frame) {
  Board* board = board_of(handle);
  const uint64_t start = board->cycles;
  board->frame_sent = false;
  while (board->cycles - start < cycles && !board->failed()) {
    board->cycle();
    if (until_frame && board->frame_sent) break;
  }
  return board->cycles - start;
}

EDGE_API uint64_t board_cycles(void* handle) { return board_of(handle)->cycles; }

// 0 while all is well; otherwise 1, with what happened in `text`.
EDGE_API int board_error(void* handle, char* text, size_t size) {
#ifdef EDGE_SDRAM
  const Board* board = board_of(handle);
  if (!board->failed() || size == 0) return 0;
  std::strncpy(text, board->chip.violation().c_str(), size - 1);
  text[size - 1] = 0;
  return 1;
#else
  return 0;
#endif
}
