"""What `torchtwin.here()` prints, in eighty columns, whatever the names."""

from __future__ import annotations

import msgspec
import pytest
import torch
from tests.python.kernel.paused.conftest import Stops

from torchtwin.kernel.paused.text import text
from torchtwin.protocol.paused import FrameTensor, PausedFrame, Statistics

SOURCE = """
x, h = torch.ones(4, 3), torch.tensor([[1.0, float("nan")]])
fc = nn.Linear(3, 2)
class Net(nn.Module):
    def forward(self, t):
        return fc(t) + fc(h)
y = Net()(x)
"""
SHOWN = """\
at cell [{number}], line 6, in forward
  return fc(t) + fc(h)

fc(t)                                                                 comes next
    t    @ fc.weight.T + fc.bias -> output
  [4, 3] @   [3, 2]    +   [2]   -> [4, 2]

fc(h)                                                               ! will raise
    h    @ fc.weight.T + fc.bias
  [1, 2] @   [3, 2]    +   [2]
      ^       ^
  `h` has 2 features, `fc` takes 3.
  * Pass an input with 3 features.
  * Make the layer `nn.Linear(in_features=2, out_features=2)`.
  (RuntimeError: mat1 and mat2 shapes cannot be multiplied (1x2 and 3x2))

local tensors
  t  [4, 3]  float32                                              1 to 1, mean 1
global tensors
  x  [4, 3]  float32                                              1 to 1, mean 1
  h  [1, 2]  float32                                       1 to 1, mean 1, 1 NaN"""


def test_a_frame_as_it_is_printed(stops: Stops) -> None:
    frame = stops.at(SOURCE, "return fc(t)")
    assert text(frame) == SHOWN.replace("{number}", str(frame.site.execution_count))


def frame_of(stops: Stops) -> PausedFrame:
    return stops.at(SOURCE, "return fc(t)")


def row(name: str, **fields: object) -> FrameTensor:
    base = FrameTensor(name, "local", [2], "float32", "cpu", False, False, None, None)
    return msgspec.structs.replace(base, **fields)


@pytest.mark.parametrize(
    ("tensor", "line"),
    [
        (row("e", statistics=Statistics(None, None, None, 0, 0, 0, 0)), "  e  [2]  float32"),
        (row("m", unread="it holds no values"), "it holds no values"),
        (row("g", device="cuda:0", requires_grad=True, has_grad=True), "float32 cuda:0 has grad"),
        (row("n", shape=[2, -1, 3]), "  n  [2, ?, 3]  float32"),
        (row("c", statistics=Statistics(None, None, None, 0, 0, 2, 2)), "no NaN, no inf"),
        (row("l", statistics=Statistics(0, 1, 0.5, 0, 2, 100_000, 10**9)), "2 inf, of 100,000 elements"),
        (row("big", statistics=Statistics("-inf", "inf", "nan", 0, 2, 2, 2)), "-inf to inf, mean nan, 2 inf"),
    ],
)
def test_a_tensor_of_every_kind_has_its_line(stops: Stops, tensor: FrameTensor, line: str) -> None:
    shown = text(msgspec.structs.replace(frame_of(stops), tensors=[tensor]))
    assert line in shown


def test_no_name_breaks_the_columns_or_steers_the_terminal(stops: Stops) -> None:
    frame = frame_of(stops)
    product = msgspec.structs.replace(frame.products[0], words="f(\x1b[31m" + "x" * 500 + ")", name="n\x1b" * 90)
    wide = [row("\u4e2d" * 60, unread="w" * 300), row("a\x1b]0;title\x07"), row("z", shape=[10**6] * 12)]
    site = msgspec.structs.replace(frame.site, source="\x1b[2J" + "y" * 300)
    shown = text(msgspec.structs.replace(frame, products=[product], tensors=wide, function="f" * 200, site=site))
    assert "\x1b" not in shown
    assert "\x07" not in shown


def test_what_is_left_out_is_counted(stops: Stops) -> None:
    many = [row(f"t{at}") for at in range(50)]
    assert text(msgspec.structs.replace(frame_of(stops), tensors=many, left_out=5)).endswith("\n  and 15 tensors more")


def test_a_line_that_is_not_known_is_said_to_be(stops: Stops) -> None:
    shown = text(msgspec.structs.replace(frame_of(stops), products=[], unknown="its source is not known", tensors=[]))
    assert "what this line will compute is not told: its source is not known" in shown
    assert shown.endswith("\n\nno tensors have a name here")


def test_what_is_not_known_of_a_product_says_why(stops: Stops) -> None:
    source = SOURCE.replace("fc(t) + fc(h)", "fc(torch.nonzero(t))")
    shown = text(stops.at(source, "return fc("))
    assert "nothing is known before it runs: `torch.nonzero(t)` does not exist yet" in shown
    assert torch.is_grad_enabled()
