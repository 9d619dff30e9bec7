"""The configuration groups of the checkout that this code runs from."""

from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mimicbench.errors import UserError

CONF = Path(__file__).resolve().parents[2] / "conf"


def composed(overrides: list[str]) -> dict[str, Any]:
    """What ``python train.py`` would run with these overrides, resolved, as plain containers.

    Raises:
        UserError: There are no ``conf/`` groups beside the code, or an override names nothing in them.
    """
    if not CONF.is_dir():
        raise UserError(f"{CONF} is missing; install mimicbench from a checkout, with pip install -e .")
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            plain: Any = OmegaConf.to_container(compose("train", overrides), resolve=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(" ".join(str(error).partition("Config search path")[0].split())) from None
    return dict(plain)
