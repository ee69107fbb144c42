"""Stands in for openFPGALoader: checks its arguments, reads the bitstream's header, "writes" it
into a virtual board's folder, and fails in every way in which the real program does.

FAKE_BOARD_FOLDER   the virtual board's folder
FAKE_BOARD_IDCODE   what its chip answers over JTAG, hex
FAKE_FAILURE        how to fail: see FAILURES; "cut:N" dies after N blocks, "hang:N" hangs there
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path

BLOCK = 4096
BOARDS = ("ulx3s",)
NO_DEVICE = (
    "unable to open ftdi device: -3 (device not found)\n"
    "JTAG init failed with: unable to open ftdi device\n"
)
FAILURES = {
    "not found": NO_DEVICE,
    "permission": NO_DEVICE.replace("-3 (device not found)", "-4 (usb_open() failed)"),
    "claimed": "unable to open ftdi device: -5 (unable to claim usb device. Make sure the default "
    "FTDI driver is not in use)\nJTAG init failed with: unable to open ftdi device\n",
    "library": "openFPGALoader: error while loading shared libraries: libusb-1.0.so.0: cannot open "
    "shared object file: No such file or directory\n",
    "nothing behind": "mismatch between target's idcode and bitstream idcode\n"
    "\tbitstream has 0x41113043 hardware requires 0xffffffff\n"
    "Error: Failed to program FPGA: std::exception\n",
    "unheard of": "Error: the moon is in the wrong quarter\n",
    "says nothing": "",
}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--board", required=True)
    parser.add_argument("--ftdi-serial")
    parser.add_argument("--write-sram", action="store_true")
    parser.add_argument("--write-flash", action="store_true")
    parser.add_argument("--verify", action="store_true")
    parser.add_argument("bitstream", type=Path)
    args = parser.parse_args()
    failure = os.environ.get("FAKE_FAILURE", "")
    if args.board not in BOARDS:
        return fail(f"Error: cannot find board '{args.board}'\n")
    if args.write_sram == args.write_flash or args.verify != args.write_flash:
        return fail("Error: these options do not go together\n")
    if failure in FAILURES:
        return fail(FAILURES[failure])
    data = args.bitstream.read_bytes()
    if b"\xff\xff\xbd\xb3" not in data[:4096]:
        return fail("Error: failed to parse\n")
    print("Open file: DONE\nParse file: DONE", flush=True)
    at = data.index(b"\xe2\x00\x00\x00") + 4
    idcode, found = data[at : at + 4].hex(), os.environ["FAKE_BOARD_IDCODE"]
    if idcode != found:
        return fail(
            "mismatch between target's idcode and bitstream idcode\n"
            f"\tbitstream has 0x{idcode} hardware requires 0x{found}\n"
            "Error: Failed to program FPGA: std::exception\n"
        )
    name = "flash.bit" if args.write_flash else "sram.bit"
    what = "Writing" if args.write_flash else "Loading"
    write(Path(os.environ["FAKE_BOARD_FOLDER"]) / name, data, what, failure)
    if failure == "verify":
        return fail("Verification failed at 0x1000\n")
    print("\nDone" if args.write_flash else "\nDONE", flush=True)
    return 0


def write(path: Path, data: bytes, what: str, failure: str) -> None:
    kind, _, count = failure.partition(":")
    with path.open("wb") as file:
        for number, start in enumerate(range(0, len(data), BLOCK)):
            if count and number == int(count):
                if kind == "hang":
                    time.sleep(600)
                os.kill(os.getpid(), signal.SIGKILL)
            file.write(data[start : start + BLOCK])
            file.flush()
            percent = 100 * min(start + BLOCK, len(data)) / len(data)
            bar = "=" * int(percent / 2)
            print(f"\r{what}: [{bar:<51}] {percent:.2f}%", end="", flush=True)


def fail(text: str) -> int:
    sys.stderr.write(text)
    return 1


if __name__ == "__main__":
    sys.exit(main())
