"""What people call attacks and oracles."""


def mentor_status(oracle: str) -> str:
    """The paper's word for a mentor behind this oracle."""
    return {"softmax": "Unprotected", "label": "Protected"}.get(oracle, f"Protected: {oracle}")


def method(attack: str) -> str:
    """An attack in words."""
    return attack.replace("_", " ").capitalize()
