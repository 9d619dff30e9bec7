"""``python -m mimicbench.serve oracle=rounded``: a mentor behind a protection, on a real wire.

The server is MLServer, which speaks the Open Inference Protocol; it needs ``pip install -e '.[serve]'``. Settings are
those of ``train.py``; task, watermark, mentor, oracle, paths and trainer (where it runs) are read. ``oracle.budget`` is
for all clients together, and counts what they ask again or ask to measure. For networks that are trusted: it asks
nobody who he is.
"""

import argparse
import importlib.util
import socket
import sys
import tempfile

from mimicbench.configuration import composed
from mimicbench.errors import UserError
from mimicbench.fingerprint import fingerprint
from mimicbench.guarded import Guarded
from mimicbench.hardware import Hardware, limit_threads
from mimicbench.oracles import Oracle
from mimicbench.schema import Config, build, check
from mimicbench.tasks import Task


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m mimicbench.serve", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="the address that it listens on (127.0.0.1: this machine)")
    parser.add_argument("--port", type=_port, default=8080, help="(8080)")
    parser.add_argument("--name", default="mentor", help="what the model is called there (mentor)")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="settings, as of train.py")
    options = parser.parse_args(arguments)
    limit_threads()
    try:
        if importlib.util.find_spec("mlserver") is None:
            raise UserError("python -m mimicbench.serve needs MLServer: pip install -e '.[serve]'.")
        _require_free(options.host, options.port)
        with tempfile.TemporaryDirectory() as scratch:
            config = check(composed([*options.overrides, f"paths.output_dir={scratch}"]))
            _serve(config, options)
    except UserError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


def _port(text: str) -> int:
    port = int(text)
    if not 0 < port < 2**16:
        raise argparse.ArgumentTypeError("must be from 1 to 65535")
    return port


def _require_free(host: str, port: int) -> None:
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        raise UserError(f"{host}:{port} cannot be listened on ({error}); choose another --port.") from None


def _serve(config: Config, options: argparse.Namespace) -> None:
    from mimicbench.serve import server  # the only part that needs MLServer

    task: Task = build("task", config.task, config.paths)
    hardware = Hardware.choose(config.trainer.accelerator, config.trainer.precision, "eager")
    guarded = Guarded.of(config, task, hardware)
    oracle, revision = guarded.oracle, fingerprint(guarded.mentor.fingerprint, config.oracle)
    print(f"Serving a mentor of {config.task['name']} behind oracle={config.oracle['name']}. To mimic it, type")
    print("  python train.py", *_mimicking(options, oracle, revision), flush=True)
    server.run(options.name, oracle, hardware.device, task.size, len(task.classes), options.host, options.port)


def _mimicking(options: argparse.Namespace, oracle: Oracle, revision: str) -> list[str]:
    """The settings with which a student of it is trained, and of no other that answers at this address later."""
    host = "127.0.0.1" if options.host in ("0.0.0.0", "::", "") else options.host
    replies = ["oracle=label"] if oracle.names_class_only else ["oracle=softmax", "mentor.io.says=probabilities"]
    return [
        *("experiment=audit", "attack=standard", *(one for one in options.overrides if one.startswith("task"))),
        *("mentor=http", f"mentor.url=http://{host}:{options.port}", f"mentor.model={options.name}"),
        *(f"mentor.revision=served-{revision}", *replies),
    ]


if __name__ == "__main__":
    main()
