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

#include "design.cc"

#ifdef EDGE_SDRAM
#include "sdram_chip.h"
#include "sdram_parameters.h"  // kSdram
#endif

namespace {

// An output as it is during a clock. The generated code has registers (wire), which change at the
// edge and are kept from before it, and what is combinational (value), which is computed with it.
class Output {
 public:
  template <size_t Bits>
  explicit Output(const cxxrtl::wire<Bits>& output) : before(output.template get<uint32_t>()) {}
  template <size_t Bits>
  explicit Output(const cxxrtl::value<Bits>&) {}
  template <size_t Bits>
  uint32_t get(const cxxrtl::wire<Bits>&) const { return before; }
  template <size_t Bits>
  uint32_t get(const cxxrtl::value<Bits>& output) const { return output.template get<uint32_t>(); }

 private:
  uint32_t before = 0;
};

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
  // and then the edge.
  void cycle() {
    const bool offer = !in.empty() && cycles >= next_in;
    const bool accept = cycles >= next_out;
    top.p_rx____valid.set<bool>(offer);
    top.p_rx____payload.set<uint8_t>(offer ? in.front() : 0);
    top.p_tx____ready.set<bool>(accept);
    const Output ready(top.p_rx____ready);
    const Output valid(top.p_tx____valid), payload(top.p_tx____payload);
#ifdef EDGE_SDRAM
    top.p_sdram____dq__i.set<uint32_t>(dq);
    const Output cke(top.p_sdram____cke), cs(top.p_sdram____cs), ras(top.p_sdram____ras);
    const Output cas(top.p_sdram____cas), we(top.p_sdram____we), ba(top.p_sdram____ba);
    const Output a(top.p_sdram____a), dqm(top.p_sdram____dqm);
    const Output dq_o(top.p_sdram____dq__o), dq_oe(top.p_sdram____dq__oe);
#endif
    top.prev_p_clk = cxxrtl::value<1>{0u};
    top.p_clk.set<bool>(true);
    top.step();
#ifdef EDGE_SDRAM
    edge::SdramInputs pins;
    pins.cke = cke.get(top.p_sdram____cke);
    pins.cs = cs.get(top.p_sdram____cs);
    pins.ras = ras.get(top.p_sdram____ras);
    pins.cas = cas.get(top.p_sdram____cas);
    pins.we = we.get(top.p_sdram____we);
    pins.ba = ba.get(top.p_sdram____ba);
    pins.a = a.get(top.p_sdram____a);
    pins.dqm = dqm.get(top.p_sdram____dqm);
    pins.dq = dq_o.get(top.p_sdram____dq__o);
    pins.oe = dq_oe.get(top.p_sdram____dq__oe);
    dq = chip.step(pins).dq;
#endif
    if (offer && ready.get(top.p_rx____ready)) {
      in.pop_front();
      next_in = cycles + byte_cycles;
    }
    if (accept && valid.get(top.p_tx____valid)) {
      const uint8_t byte = payload.get(top.p_tx____payload);
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
