"""``python -m mimicbench.serve oracle=rounded``: a mentor behind a protection, on a real wire.

The server is MLServer, which speaks the Open Inference Protocol; it needs ``pip install -e '.[serve]'``. Settings are
those of ``train.py``; task, watermark, mentor, oracle, paths and trainer (where it runs) are read. ``oracle.budget`` is
for all clients together.
"""

import argparse
import asyncio
import importlib.util
import socket
import sys
import tempfile
from typing import Any

from mimicbench.configuration import composed
from mimicbench.errors import UserError
from mimicbench.guarded import Guarded
from mimicbench.hardware import Hardware, limit_threads
from mimicbench.schema import Config, build, check
from mimicbench.tasks import Task


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m mimicbench.serve", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="the address that it listens on (127.0.0.1: this machine)")
    parser.add_argument("--port", type=int, default=8080, help="(8080)")
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
            _serve(config, options, scratch)
    except UserError as error:
        sys.exit(str(error))


def _require_free(host: str, port: int) -> None:
    try:
        socket.create_server((host, port)).close()
    except (OSError, OverflowError) as error:
        raise UserError(f"{host}:{port} cannot be listened on ({error}); choose another --port.") from None


def _serve(config: Config, options: argparse.Namespace, scratch: str) -> None:
    from mimicbench.serve import model  # the only part that needs MLServer

    task: Task = build("task", config.task, config.paths)
    hardware = Hardware.choose(config.trainer.accelerator, config.trainer.precision, "eager")
    oracle = Guarded.of(config, task, hardware).oracle
    served = model.settings(options.name, oracle, hardware.device, task.size, len(task.classes))
    says = "" if oracle.names_class_only else " mentor.io.says=probabilities"
    print(
        f"Serving the mentor of {config.task['name']} behind oracle={config.oracle['name']}. Mimic it with\n"
        f"  python train.py experiment=audit task={config.task['name']} mentor=http "
        f"mentor.url=http://{options.host}:{options.port} mentor.model={options.name}{says}",
        flush=True,
    )
    asyncio.run(_answer(served, options, scratch))


async def _answer(served: Any, options: argparse.Namespace, scratch: str) -> None:
    from mlserver import MLServer, Settings

    settings = Settings(
        host=options.host,
        http_port=options.port,
        grpc_port=0,  # a free one: it cannot be switched off
        metrics_endpoint=None,
        parallel_workers=0,  # this process holds the mentor
        model_repository_root=scratch,  # nothing else can be loaded
        load_models_at_startup=False,
        debug=False,
    )
    await MLServer(settings).start(models_settings=[served])


if __name__ == "__main__":
    main()
