"""SLURM on one machine, as far as submitit asks for it: each command of :data:`COMMANDS` runs this file.

``sbatch SCRIPT`` keeps the script and runs each task of its array in the background, ``srun`` starts the tasks of one
job side by side with the variables that SLURM gives them, and ``sacct`` says which have ended, and how.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

COMMANDS = ("sbatch", "srun", "sacct", "scancel")
JOB = "7001"


def install(folder: Path) -> dict[str, str]:
    """Put the commands into a folder; the environment in which they are found, and leave scripts in it."""
    for name in COMMANDS:
        command = folder / name
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" {name} "$@"\n')
        command.chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "SLURM_STAND_IN": str(folder)}


def sbatch(script: str) -> None:
    text = Path(script).read_text()
    kept = place() / "submitted.sh"  # submitit moves its own
    kept.write_text(text)
    option = dict(re.findall(r"^#SBATCH --([a-z-]+)=(.*)$", text, re.MULTILINE))
    first, last = map(int, option["array"].partition("%")[0].split("-"))
    tasks, nodes = int(option["ntasks-per-node"]), int(option.get("nodes", 1))
    for number in range(first, last + 1):
        own = {
            "SLURM_JOB_ID": f"{int(JOB) + 1 + number}",
            "SLURM_ARRAY_JOB_ID": JOB,
            "SLURM_ARRAY_TASK_ID": str(number),
            "SLURM_JOB_NAME": option["job-name"],
            "SLURM_JOB_NUM_NODES": str(nodes),
            "SLURM_NNODES": str(nodes),
            "SLURM_NTASKS": str(tasks * nodes),
            "SLURM_NTASKS_PER_NODE": str(tasks),
            "SLURM_JOB_NODELIST": "localhost",
            "SLURM_NODELIST": "localhost",
        }
        with (place() / f"{number}.log").open("w") as log:
            settings = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, "start_new_session": True}
            subprocess.Popen(["bash", str(kept)], env=os.environ | own, **settings)
    print(f"Submitted batch job {JOB}")


def srun(*arguments: str) -> None:
    names = {"%A": JOB, "%a": os.environ["SLURM_ARRAY_TASK_ID"]}
    files: dict[str, str] = {}
    rest = list(arguments)
    while rest[0].startswith("-"):
        flag = rest.pop(0)
        if flag in ("--output", "--error"):
            files[flag] = re.sub("%A|%a", lambda found: names[found[0]], rest.pop(0))
    Path(files["--output"]).parent.mkdir(exist_ok=True)  # a task here may begin before submitit has made it
    running = []
    for number in range(int(os.environ["SLURM_NTASKS"])):
        own = {"SLURM_PROCID": str(number), "SLURM_LOCALID": str(number), "SLURM_NODEID": "0"}
        with (
            open(files["--output"].replace("%t", str(number)), "a") as output,  # noqa: PTH123
            open(files["--error"].replace("%t", str(number)), "a") as error,  # noqa: PTH123
        ):
            running.append(subprocess.Popen(rest, env=os.environ | own, stdout=output, stderr=error))
    code = max(abs(task.wait()) for task in running)
    (place() / f"{JOB}_{names['%a']}.ended").write_text("FAILED" if code else "COMPLETED")
    sys.exit(code)


def sacct(*_: str) -> None:
    print("JobID|State|NodeList")
    for ended in place().glob("*.ended"):
        print(f"{ended.stem}|{ended.read_text()}|localhost")


def place() -> Path:
    return Path(os.environ["SLURM_STAND_IN"])


if __name__ == "__main__":
    {"sbatch": sbatch, "srun": srun, "sacct": sacct, "scancel": sacct}[sys.argv[1]](*sys.argv[2:])
