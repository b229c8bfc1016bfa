"""The tests find the program that make builds."""

from __future__ import annotations

import os

from converted import BUILT, REPOSITORY, unnamed


def test_what_make_has_built_is_taken_where_no_other_is_named() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    for name, path in BUILT.items():
        assert f"{name}=$(abspath {path.relative_to(REPOSITORY)})" in makefile
    named = {"SYNTH2REAL": "/another/synth2real", "ORT_DYLIB_PATH": ""}
    assert unnamed(named) == {"ORT_DYLIB_PATH": str(BUILT["ORT_DYLIB_PATH"])}
    assert unnamed({}) == {name: str(path) for name, path in BUILT.items()}
    assert all(os.environ.get(name) for name in BUILT)
