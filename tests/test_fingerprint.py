import subprocess
import sys
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mimicbench.fingerprint import fingerprint

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(first=plain, second=plain)
def test_equal_for_equal_values_and_only_for_those(first: Any, second: Any) -> None:
    same = repr(first) == repr(second)  # unlike ==, tells 1 from True
    assert (fingerprint(first) == fingerprint(second)) == same or first == second


def test_neither_the_order_of_keys_nor_the_process_matters() -> None:
    assert fingerprint({"a": 1, "b": [2.5]}) == fingerprint({"b": [2.5], "a": 1}) != fingerprint({"a": [2.5], "b": 1})
    script = "from mimicbench.fingerprint import fingerprint; print(fingerprint('a', {'b': 1}))"
    elsewhere = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert elsewhere.stdout.strip() == fingerprint("a", {"b": 1})
    assert len(fingerprint()) == 16
