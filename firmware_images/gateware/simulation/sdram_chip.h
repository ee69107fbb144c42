// An SDR SDRAM for compiled simulations: it answers as one does, and says what was done that its
// data sheet forbids.
//
// It knows the rules in nanoseconds, by itself: nothing of it comes from the controller. The same
// checks, with the same words, stand in tests/firmware_images/gateware/sdram_chip.py.

#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace edge {

// Geometry and times, as in firmware_images/gateware/memory/chip.py; times in nanoseconds.
struct SdramParameters {
  double clock_hz;
  unsigned bits;  // of a word: 16 or 32
  unsigned row_bits, column_bits, bank_bits;
  unsigned cas;  // the least latency allowed
  double t_rcd, t_rp, t_ras, t_rc, t_rrd, t_rfc, t_wr, t_mrd;
  double refresh_interval;
  double power_up;
};

// One clock of the pins, as the chip sees them at its rising edge; active high.
struct SdramInputs {
  bool cke, cs, ras, cas, we;
  uint32_t ba, a, dqm, dq;
  bool oe;
};

// What the chip does to DQ in the clock after that.
struct SdramOutputs {
  bool drives;
  uint32_t dq;
};

class SdramChip {
 public:
  explicit SdramChip(const SdramParameters &parameters)
      : p(parameters),
        period(1e9 / parameters.clock_hz),
        banks(std::size_t(1) << parameters.bank_bits),
        memory((std::size_t(1) << (p.row_bits + p.bank_bits + p.column_bits)) * (p.bits / 8)) {}

  // Empty, or the first thing that was wrong; the chip goes on as if it had been right.
  const std::string &violation() const { return wrong; }

  // The words in the order of addresses (column, bank, row from the low end), each with its low
  // byte first: a memory image can be copied here.
  std::vector<uint8_t> &storage() { return memory; }

  // Once a clock, before its rising edge, with the pins of that clock.
  SdramOutputs step(const SdramInputs &pins) {
    now = double(cycle) * period;
    if (driven.drives && pins.oe) fail("both sides drive DQ");
    if (pins.cs && pins.cke && (pins.ras || pins.cas || pins.we)) command(pins);
    double late = double(refreshes + 9) * p.refresh_interval;
    if (latency && now - refresh_start >= late) fail("more than 8 refreshes put off");
    ++cycle;
    driven = coming[0];
    for (int i = 0; i < 3; ++i) coming[i] = coming[i + 1];
    coming[3] = {false, 0};
    return driven;
  }

 private:
  static constexpr double kNever = -1e18;
  static constexpr double kSlack = 1e-3;  // nanoseconds that rounding may take

  struct Bank {
    bool open = false;
    uint32_t row = 0;
    double activated = kNever, precharged = kNever, written = kNever;
  };

  void fail(const std::string &what) {
    if (wrong.empty()) wrong = "clock " + std::to_string(cycle) + ": " + what;
  }

  void after(double since, double least, const char *name) {
    if (now - since >= least - kSlack) return;
    long clocks = std::lround((now - since) / period);
    long needed = long(std::ceil((least - kSlack) / period));
    fail(std::string(name) + ": " + std::to_string(clocks) + " clocks, not " +
         std::to_string(needed));
  }

  void command(const SdramInputs &pins) {
    after(0.0, p.power_up, "power up");
    after(refreshed, p.t_rfc, "tRFC");
    after(mode_set, p.t_mrd, "tMRD");
    Bank &bank = banks[pins.ba];
    if (pins.ras && !pins.cas && pins.we) {
      if (pins.a >> 10 & 1) {
        for (Bank &each : banks) precharge(each);
      } else {
        precharge(bank);
      }
    } else if (pins.ras && pins.cas && !pins.we) {
      all_idle("REFRESH");
      refreshed = now;
      ++refreshes;
    } else if (pins.ras && pins.cas && pins.we) {
      set_mode(pins.a);
    } else if (pins.ras) {
      activate(bank, pins.a);
    } else if (pins.cas) {
      transfer(bank, pins);
    } else {
      fail("BURST TERMINATE is not a command for single words");
    }
  }

  void precharge(Bank &bank) {
    if (!bank.open) return;
    after(bank.activated, p.t_ras, "tRAS");
    after(bank.written, p.t_wr, "tWR");
    bank.open = false;
    bank.precharged = now;
  }

  void all_idle(const char *name) {
    for (Bank &bank : banks) {
      if (bank.open) fail(std::string(name) + " with an open row");
      after(bank.precharged, p.t_rp, "tRP");
    }
  }

  void set_mode(uint32_t a) {
    all_idle("MODE");
    if (refreshes < 2) fail("MODE before two refreshes");
    if (a & ~uint32_t(0x70)) fail("MODE asks for more than single words");
    uint32_t asked = a >> 4;
    if (asked < p.cas || asked > 3) {
      fail("CAS latency " + std::to_string(asked) + ", not " + std::to_string(p.cas) + " to 3");
    }
    latency = asked & 3;
    mode_set = refresh_start = now;
    refreshes = 0;
  }

  void activate(Bank &bank, uint32_t a) {
    if (!latency) fail("ACTIVATE before MODE");
    if (bank.open) fail("ACTIVATE of an open bank");
    after(bank.precharged, p.t_rp, "tRP");
    after(bank.activated, p.t_rc, "tRC");
    after(activated, p.t_rrd, "tRRD");
    bank.open = true;
    bank.row = a & ((1u << p.row_bits) - 1);
    bank.activated = activated = now;
  }

  void transfer(Bank &bank, const SdramInputs &pins) {
    const std::string name = pins.we ? "WRITE" : "READ";
    if (!bank.open) {
      fail(name + " without an open row");
      return;
    }
    after(bank.activated, p.t_rcd, "tRCD");
    if (pins.a >> 10) fail(name + " with auto precharge");
    if (pins.dqm) fail(name + " with DQM");
    if (pins.oe != pins.we) fail(name + " with DQ turned the wrong way");
    std::size_t address = std::size_t(bank.row) << p.bank_bits | pins.ba;
    address = address << p.column_bits | (pins.a & ((1u << p.column_bits) - 1));
    uint8_t *word = &memory[address * (p.bits / 8)];
    if (pins.we) {
      for (unsigned i = 0; i < p.bits / 8; ++i) word[i] = uint8_t(pins.dq >> 8 * i);
      bank.written = now;
    } else if (latency) {
      uint32_t dq = 0;
      for (unsigned i = 0; i < p.bits / 8; ++i) dq |= uint32_t(word[i]) << 8 * i;
      coming[latency - 1] = {true, dq};
    }
  }

  SdramParameters p;
  double period;
  std::vector<Bank> banks;
  std::vector<uint8_t> memory;
  std::string wrong;
  uint64_t cycle = 0;
  uint64_t refreshes = 0;
  unsigned latency = 0;
  double now = 0.0, refresh_start = 0.0;
  double activated = kNever, refreshed = kNever, mode_set = kNever;
  SdramOutputs coming[4] = {};
  SdramOutputs driven = {false, 0};
};

}  // namespace edge
