"""Finding algorithms by their folders (issue 2 item 2; design: extend by adding a folder)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import sagedock
from sagedock import algorithms
from sagedock.errors import UserError

SOURCE = Path(sagedock.__file__).parents[1]
NAMES = {
    "xgboost",
    "image-classification",
    "randomcutforest",
    "ntm",
    "lda",
    "blazingtext",
    "forecasting-deepar",
}
FOLDERS = {"forecasting-deepar": "deepar"}


def test_every_folder_is_found_under_its_algorithms_name():
    """Issue 2 item 2: folders are the names with underscores, but forecasting-deepar lives in deepar.

    A folder whose face declares no algorithm holds the mathematics of one that cannot be run yet.
    """
    faces = Path(algorithms.__path__[0]).glob("*/__init__.py")
    folders = {face.parent.name for face in faces if "\nALGORITHM = " in face.read_text(encoding="utf-8")}
    assert {FOLDERS.get(name, name.replace("-", "_")) for name in algorithms.names()} == folders
    assert set(algorithms.names()) <= NAMES


def test_names_are_sorted_and_found_again():
    assert "xgboost" in algorithms.names()
    assert algorithms.names() == sorted(algorithms.names())
    for name in algorithms.names():
        assert algorithms.find(name).name == name


def test_an_unknown_name_is_refused_with_the_nearest_and_all_names():
    """Issue 2 item 2: the error lists the names."""
    with pytest.raises(UserError) as caught:
        algorithms.find("XGBost")
    text = str(caught.value)
    assert "there is no algorithm 'XGBost' (did you mean 'xgboost'?)" in text
    assert all(name in text for name in algorithms.names())
    with pytest.raises(UserError, match="there is no algorithm 'zzz': the algorithms are"):
        algorithms.find("zzz")


@pytest.mark.parametrize("heavy", ["xgboost", "torch", "sklearn", "pyarrow", "flask", "matplotlib"])
def test_listing_algorithms_imports_none_of_their_libraries(heavy):
    """Design: listing algorithms imports none of them."""
    code = (
        "import sys; from sagedock import algorithms; "
        "[algorithms.find(name) for name in algorithms.names()]; "
        f"sys.exit({heavy!r} in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=SOURCE, check=False).returncode == 0


@pytest.mark.parametrize("name", algorithms.names())
def test_an_algorithms_facts_agree_with_one_another(name):
    algorithm = algorithms.find(name)
    assert algorithm.default_request_type in algorithm.request_types
    assert algorithm.default_response_type in algorithm.response_types
    assert any(channel.required for channel in algorithm.channels)
    parameters = algorithm.hyperparameters.parameters
    spelled = [spelling for each in parameters for spelling in (each.name, *each.aliases)]
    assert len(spelled) == len(set(spelled))
    assert all(set(rule.inputs) <= {each.name for each in parameters} for rule in algorithm.hyperparameters.rules)
    for each in parameters:
        assert each.description.endswith(".")
        assert each.default is None or each.kind.parse(str(each.default)) == each.default
    for metric in algorithm.metrics:
        assert metric.goal in {"Maximize", "Minimize"}
