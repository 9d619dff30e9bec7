"""The one entry: ``python train.py``, with Hydra's overrides."""

import hydra
from omegaconf import DictConfig


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg: DictConfig) -> None:
    """Run one job and print its table."""
    # Imported here, so that --help, --cfg and completion need not wait for PyTorch.
    from mimicbench.report import job
    from mimicbench.run import run

    if (result := run(cfg)) is not None:
        job.show(result)


if __name__ == "__main__":
    main()
