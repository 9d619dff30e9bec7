"""``python -m mimicbench.ownership <student checkpoint> --mentor <job>``: is it a copy of a mentor that is yours?

``python -m mimicbench.ownership <sweep>`` scores every key of a sweep with marked mentors on every student, and leaves
``ownership.json`` for its report.
"""

import argparse
import json
import logging
import re
import sys
import tempfile
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from mimicbench import results
from mimicbench.errors import UserError
from mimicbench.files import atomic, writing
from mimicbench.hardware import limit_threads
from mimicbench.ownership import matrix, scoring
from mimicbench.ownership.dataset_inference import FEWEST_POINTS, dataset_inference
from mimicbench.ownership.finding import Finding
from mimicbench.ownership.key_test import key_test
from mimicbench.ownership.owned import Owned
from mimicbench.report import marks, table

_OWN_NETWORK = re.compile(r"mimicbench\.networks\.\w+\.\w+")


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    options = _options(arguments)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", ".*LeafSpec")
    limit_threads()
    try:
        with tempfile.TemporaryDirectory() as scratch:
            if options.mentor is None:
                _sweep(options.suspect, Path(scratch))
            else:
                _suspect(options, Path(scratch))
    except UserError as error:
        sys.exit(str(error))


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m mimicbench.ownership", description=__doc__)
    parser.add_argument("suspect", type=Path, help="a student's checkpoint; without --mentor, the folder of a sweep")
    parser.add_argument("--mentor", type=Path, help="the folder of a finished job whose mentor is yours")
    parser.add_argument("--key", type=Path, help="its key file, where it is not in that folder")
    parser.add_argument(
        "--keys", type=int, default=99, help="other keys to compare the mark's with (99; 18 or more with one reference)"
    )
    parser.add_argument(
        "--references",
        type=int,
        help="networks without the mark to compare with (1 for five classes or more); all but one are trained first",
    )
    parser.add_argument("--points", type=int, default=1000, help="images on each side of dataset inference (1000)")
    parser.add_argument(
        "--student",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="the suspect's network, where it differs from that of the job that it lies in, else of the mentor's job: "
        "_target_=mimicbench.networks.vgg.VGG16 width=0.5 batch_norm=false",
    )
    parser.add_argument("--json", type=Path, help="write the findings there too")
    options = parser.parse_args(arguments)
    if options.mentor is None:
        alone = ("key", "keys", "references", "points", "student", "json")
        given = [name for name in alone if getattr(options, name) != parser.get_default(name)]
        if given:
            parser.error(f"--{given[0]} is of one suspect, which needs --mentor")
    for name in ("keys", "points", "references"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            parser.error(f"--{name} must be 1 or more")
    if options.points < FEWEST_POINTS:
        parser.error(f"--points must be {FEWEST_POINTS} or more")
    return options


def _suspect(options: argparse.Namespace, scratch: Path) -> None:
    owned = Owned.of(options.mentor, scratch)
    evidence = owned.evidence(options.key) if owned.watermark is not None or options.key else None
    suspect = owned.suspect(options.suspect, _network(options, owned))
    findings = [] if evidence is None else [key_test(owned, evidence, suspect, options.keys, options.references)]
    findings.append(dataset_inference(owned, suspect, options.points))
    print(f"Suspect: {owned.accuracy_of(suspect):.2%} accurate; the mentor of {options.mentor}: {owned.accuracy:.2%}.")
    _show(findings)
    if options.json is not None:
        with writing(options.json.parent, "--json"), atomic(options.json) as temporary:
            temporary.write_text(json.dumps([asdict(one) for one in findings], indent=2) + "\n")


def _network(options: argparse.Namespace, owned: Owned) -> dict[str, Any]:
    """The suspect's configuration, with ``_target_``: what its own folder says may be anybody's, and is not trusted."""
    own = (results.read(options.suspect.parent) or {}).get("config")
    told = own.get("student") if isinstance(own, dict) else None
    if told is not None and not (isinstance(told, dict) and _OWN_NETWORK.fullmatch(str(told.get("_target_")))):
        raise UserError(
            f"{options.suspect.parent} says that its network is not one of mimicbench's, and nothing else is imported; "
            f"copy {options.suspect.name} into another folder, and say its network with --student."
        )
    network = dict(told or owned.config.student)
    for one in options.student:
        key, found, value = one.partition("=")
        if not found:
            raise UserError(f"--student {one} is no setting; write it as key=value, such as width=0.5.")
        try:
            network[key] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise UserError(f"--student {one} is no setting: its value cannot be read.") from None
    return network


def _show(findings: list[Finding]) -> None:
    for one in findings:
        p_value = "–" if one.p_value is None else f"{one.p_value:.3g}"
        print(
            f"\n{one.test}: {one.sentence}\n  statistic  {one.shown}\n  null       {one.null}\n  p-value    {p_value}"
        )
        for gate in one.gates:
            print(f"  gate       {'passed' if gate.passed else 'FAILED'}: {gate.name}")


def _sweep(folder: Path, scratch: Path) -> None:
    if not folder.is_dir():
        raise UserError(f"{folder} is not the folder of a sweep; to try one checkpoint, name --mentor too.")
    found = scoring.matrices(folder, scratch)
    table.show_rows(marks.rows(found))
    print(f"{matrix.write(found, folder)} holds it with all scores; python -m mimicbench.report {folder} draws them.")


if __name__ == "__main__":
    main()
