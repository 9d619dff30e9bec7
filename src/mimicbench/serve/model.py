"""A door as a model of MLServer: what an attacker sees of it on the wire."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from mlserver import MLModel, ModelSettings
from mlserver.errors import MLServerError
from mlserver.settings import ModelParameters
from mlserver.types import InferenceRequest, InferenceResponse, MetadataTensor, RequestInput, ResponseOutput

from mimicbench.errors import QueryBudgetExceeded, UserError
from mimicbench.oracles import Oracle

_MOST = 4096  # images in a request: 12 MB of pixels at 32×32, and some ten times as much as JSON
_BAD_REQUEST = 400
_FORBIDDEN = 403  # not 429: asking again would not help
_TOO_LARGE = 413
_BAD_GATEWAY = 502  # the mentor's own server may answer later
_log = logging.getLogger(__name__)


class ServedOracle(MLModel):  # type: ignore[misc]  # MLServer has no types
    """Takes images as bytes, UINT8 [B, S, S, 3] under the name ``images``, as they are uploaded to an API.

    Answers with FP32 [B, K] under the name ``probabilities``, or, where the oracle names a class alone, with
    INT64 [B] under the name ``label``.
    """

    async def load(self) -> bool:
        """Take over the oracle."""
        given = self.settings.parameters.extra
        self._oracle: Oracle = given["oracle"]
        self._device: torch.device = given["device"]
        self._size: int = given["size"]
        # One after the other, in a thread that is always the same: PyTorch has the cores for itself, and the server
        # goes on answering.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="answering")
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer one request.

        Raises:
            MLServerError: It holds no such images or too many, the oracle's budget does not cover them, or the mentor
                fails.
        """
        if payload.id is not None and not payload.id.isascii():  # it comes back as a header
            raise MLServerError("The id holds letters that are not ASCII.", _BAD_REQUEST)
        images = self._images(payload)
        try:
            replies = await asyncio.get_running_loop().run_in_executor(self._thread, self._replies, images)
        except QueryBudgetExceeded as error:
            raise MLServerError(str(error), _FORBIDDEN) from None
        except UserError as error:
            _log.error("%s", error)  # what clients need not know
            raise MLServerError("The mentor does not answer.", _BAD_GATEWAY) from None
        return InferenceResponse(id=payload.id, model_name=self.name, outputs=[self._output(replies)])

    def _images(self, payload: InferenceRequest) -> np.ndarray:
        """uint8 [B, S, S, 3]."""
        wanted = f"UINT8 [B, {self._size}, {self._size}, 3] under the name 'images'"
        if len(payload.inputs) != 1 or payload.inputs[0].name != "images":
            raise MLServerError(f"The one input is {wanted}.", _BAD_REQUEST)
        put: RequestInput = payload.inputs[0]
        if put.datatype != "UINT8" or len(put.shape) != 4 or list(put.shape[1:]) != [self._size, self._size, 3]:
            raise MLServerError(f"The input is {put.datatype} {put.shape}, and {wanted} is asked for.", _BAD_REQUEST)
        if put.shape[0] > _MOST:
            raise MLServerError(f"A request holds {_MOST:,} images at most.", _TOO_LARGE)
        try:
            values = np.asarray(getattr(put.data, "root", put.data))
            if values.dtype.kind not in "iu" or values.min() < 0 or values.max() > 255:
                raise ValueError
            return values.astype(np.uint8).reshape(put.shape)
        except (TypeError, ValueError):
            raise MLServerError(
                f"The input's data are not {put.shape} whole numbers from 0 to 255.", _BAD_REQUEST
            ) from None

    def _replies(self, images: np.ndarray) -> np.ndarray:
        pixels = torch.from_numpy(images).to(self._device).permute(0, 3, 1, 2).float() / 255
        return self._oracle.ask(pixels).cpu().numpy()

    def _output(self, replies: np.ndarray) -> ResponseOutput:
        if self._oracle.names_class_only:
            labels = replies.argmax(1)
            return ResponseOutput(name="label", datatype="INT64", shape=[len(labels)], data=labels.tolist())
        return ResponseOutput(
            name="probabilities", datatype="FP32", shape=list(replies.shape), data=replies.ravel().tolist()
        )


def described(name: str, oracle: Oracle, device: torch.device, size: int, classes: int) -> ModelSettings:
    """What the server is to know of a model.

    Args:
        name: What it is called there.
        oracle: What answers.
        device: Where that runs.
        size: Height and width of its images, in pixels.
        classes: K.
    """
    gives: dict[str, Any] = (
        {"name": "label", "datatype": "INT64", "shape": [-1]}
        if oracle.names_class_only
        else {"name": "probabilities", "datatype": "FP32", "shape": [-1, classes]}
    )
    return ModelSettings(
        name=name,
        implementation=ServedOracle,
        inputs=[MetadataTensor(name="images", datatype="UINT8", shape=[-1, size, size, 3])],
        outputs=[MetadataTensor(**gives)],
        parameters=ModelParameters(extra={"oracle": oracle, "device": device, "size": size}),
    )
