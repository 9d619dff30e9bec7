"""The one entry: ``python train.py``, with Hydra's overrides."""

import hydra
from omegaconf import DictConfig

from mimicbench.report import table
from mimicbench.run import run


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg: DictConfig) -> None:
    """Run one job and print its row."""
    result = run(cfg)
    table.show(table.job(result), title=f"{result.task}, {result.pool}, seed {result.seed}, {result.device}")


if __name__ == "__main__":
    main()
