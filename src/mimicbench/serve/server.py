"""MLServer, reduced to one model that nobody can replace."""

import asyncio
import tempfile

import torch
import uvicorn
from mlserver import Settings
from mlserver.handlers import DataPlane, ModelRepositoryHandlers
from mlserver.registry import MultiModelRegistry
from mlserver.repository import SchemalessModelRepository
from mlserver.rest.app import create_app

from mimicbench.oracles import Oracle
from mimicbench.serve.model import described

_MODEL = ("/v2/models/{model_name}", "/v2/models/{model_name}/versions/{model_version}")
_OFFERED = {
    *("/v2", "/v2/health/live", "/v2/health/ready"),
    *(path + end for path in _MODEL for end in ("", "/ready", "/infer")),
}
"""Without the repository, by which any client could unload the model, streams, and pages for people."""


def run(name: str, oracle: Oracle, device: torch.device, size: int, classes: int, host: str, port: int) -> None:
    """Serve an oracle over HTTP until the process is told to end.

    Args:
        name: What it is called there.
        oracle: What answers.
        device: Where that runs.
        size: Height and width of its images, in pixels.
        classes: K.
        host: The address to listen on.
        port: The port.
    """
    model = described(name, oracle, device, size, classes)

    async def serve() -> None:
        with tempfile.TemporaryDirectory() as nothing:
            settings = Settings(parallel_workers=0, metrics_endpoint=None, debug=False, model_repository_root=nothing)
            registry = MultiModelRegistry()
            repository = ModelRepositoryHandlers(SchemalessModelRepository(nothing), registry)
            app = create_app(settings, DataPlane(settings, registry), repository)
            app.router.routes = [route for route in app.routes if getattr(route, "path", None) in _OFFERED]
            await registry.load(model)
            await uvicorn.Server(uvicorn.Config(app, host=host, port=port, log_level="warning")).serve()

    asyncio.run(serve())
