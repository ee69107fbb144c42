"""`edge-sdk doctor`: checks this machine, and says what to mend and how.

It knows the order of the checks and how findings are shown; edge_sdk.cli.checks does the looking.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from edge_sdk.cli.output import print_json, print_table

if TYPE_CHECKING:
    from edge_sdk.cli.checks import Check


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb `doctor` and its options."""
    parser = subparsers.add_parser(
        "doctor",
        help="check this machine and say what to mend",
        description="Check Python, the compiler, devices, models and folders, and run one token "
        "of a model on the CPU. The exit code is 0 if that works, else 1.",
    )
    parser.add_argument(
        "--model", default="tern", metavar="NAME", help="the model to try (default: tern)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run all checks; returns 0 if inference on the CPU works, else 1."""
    from edge_sdk.cli.checks import Status

    findings = list(_all_checks(args.model))
    works = any(check.name == "inference" and check.status is Status.OK for check in findings)
    if args.json:
        print_json({"ok": works, "checks": [asdict(check) for check in findings]})
    else:
        print_table(
            ["STATUS", "CHECK", "FINDING"],
            [[check.status.value, check.name, check.message] for check in findings],
            [[f"remedy: {check.remedy}"] if check.remedy else [] for check in findings],
        )
        print(f"\nInference on the CPU {'works' if works else 'does not work'}.")
    return 0 if works else 1


def _all_checks(model: str) -> Iterator[Check]:
    from edge_sdk.cli import checks
    from edge_sdk.registry import list_devices

    yield from checks.check_python()
    yield from checks.check_packages()
    yield from checks.check_terminal()
    yield from checks.check_folders()
    yield from checks.check_models()
    yield from checks.check_serial_ports()
    yield from checks.check_devices(list_devices())
    yield from checks.check_inference(model)
