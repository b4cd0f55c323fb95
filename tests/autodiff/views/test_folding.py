"""Drawings of large graphs: loops, layers and boxes are folded."""

import re

import numpy as np
import pytest
from drawings import _patience, edges, out_of, tangle

from autodiff import Tensor, Value, concatenate, draw, exp, grouped, log, sin, tanh
from autodiff.core import groups
from autodiff.core.graph import ancestors
from autodiff.views import scene
from nn import TwoLayerNet

__all__ = ["_patience"]  # fixtures


# Size


def chain(length):
    y = Value(0.5, "x")
    for _ in range(length - 1):
        y = y * 1.5
    return y


def test_a_loop_is_folded_between_its_first_and_its_last_iteration():
    y = chain(1_000)
    y.backward()
    source = draw(y).source
    assert r'label="×\n× 996 more"' in source
    shown = edges(source)
    assert [edge.tail for edge in shown] == ["n0", "n1", "n2", "b0", "n3"]
    assert shown[2].value == "1.125"
    assert float(shown[2].gradient) == pytest.approx(1.5**997, rel=1e-5)


def test_a_loop_of_several_states_is_folded():
    position, speed, stiffness = Value(1.0, "x"), Value(0.0, "v"), Value(0.5, "k")
    for _ in range(50):
        position, speed = position + 0.1 * speed, speed - 0.1 * stiffness * sin(position)
    drawn = scene.scene(position + speed)
    (block,) = [item for item in drawn.items if isinstance(item, scene.Block)]
    assert block.label.endswith("\n× 47 more")
    assert len(block.nodes) == 47 * 6
    assert len(drawn.nodes) == 3 + 3 * 6 + 1
    assert {edge.node.name for edge in drawn.edges if edge.head is block} == {None, "k"}


def test_a_loop_over_data_hides_what_only_its_hidden_iterations_read():
    data = [Value(float(i), f"d{i}") for i in range(100)]
    total = Value(0.0, "start")
    for x in data:
        total = total + log(1 + x * x)
    names = {node.name for node in scene.scene(total).nodes}
    assert names == {None, "start", "d0", "d1", "d99"}


def test_layers_that_repeat_are_folded_whole():
    @grouped("layer")
    def layer(x, w):
        return tanh(x * w)

    x = Value(1.0, "x")
    y = x
    for k in range(20):
        y = layer(y, Value(0.5, f"w{k}"))
    source = draw(y).source
    assert r'label="layer\n× 17 more"' in source
    assert source.count(">layer</td>") == 3
    assert len(draw(y, depth=0).scene.nodes) == 1 + 3


def test_one_operation_of_many_variables_shows_a_few():
    y = concatenate([Tensor([float(i)], f"x{i}") for i in range(1_000)])
    drawn = scene.scene(y)
    assert [node.name for node in drawn.nodes[:-1]] == ["x0", "x1", "x2", "x3", "x4", "x5", "x999"]
    (block,) = [item for item in drawn.items if isinstance(item, scene.Block)]
    assert block.label == "variables\n× 993 more"
    assert [edge.count for edge in drawn.edges if edge.tail is block] == [993]
    assert "993 values" in draw(y).source


def test_the_nearest_part_of_a_large_graph_is_drawn():
    drawn = scene.scene(tangle(3_000), max_nodes=100)
    blocks = [item for item in drawn.items if isinstance(item, scene.Block)]
    assert len(drawn.nodes) + len(blocks) - sum(node.op is None for node in drawn.nodes) == 101
    assert re.fullmatch(r"[\d,]+\nearlier nodes", blocks[0].label)
    named = int(re.sub(r"\D", "", blocks[0].label))
    assert named == len(blocks[0].nodes)
    assert all(node.serial > blocks[0].serial for node in drawn.nodes)


@pytest.mark.parametrize("length", [10, 80, 700])
def test_every_edge_of_the_graph_is_drawn_or_leads_into_a_block(length):
    y = tangle(length)
    drawn = scene.scene(y, max_nodes=50)
    hidden = {node for item in drawn.items if isinstance(item, scene.Block) for node in item.nodes}
    shown = {(edge.node, edge.head, edge.k) for edge in drawn.edges}
    for node in ancestors(y):
        assert (node in drawn.items) != (node in hidden)
        for k, arg in enumerate(node.inputs):
            if node in drawn.items:
                assert (arg, node, k) in shown or sum(e.count for e in drawn.edges) > len(shown)


def test_a_huge_graph_is_not_read_to_its_end():
    many_nodes = chain(100_000)
    assert len(scene.scene(many_nodes).items) < 20
    assert "more than 20,000\\nearlier nodes" in draw(many_nodes).source
    many_edges = concatenate([Tensor([1.0])] * 100_000)
    assert len(scene.scene(many_edges).items) < 20


def test_max_nodes_is_how_many_operations_are_drawn():
    y = tangle(60)
    operations = sum(node.op is not None for node in ancestors(y))
    assert len(scene.scene(y, max_nodes=operations).nodes) == len(ancestors(y))
    assert (
        sum(n.op is not None for n in scene.scene(y, max_nodes=operations - 1).nodes) < operations
    )


# Boxes


def network():
    random = np.random.default_rng(0)
    loss, _ = TwoLayerNet(4, 3, 2, rng=0).record(random.random((5, 4)), np.array([0, 1, 0, 1, 1]))
    return loss


def blocks(drawn):
    return [item.label for item in drawn.items if isinstance(item, scene.Block)]


def test_layers_stand_in_boxes_with_their_parameters():
    boxes = scene.scene(network()).root.all_boxes()
    tree = {box.label: {node.name or node.op.name for node in box.nodes} for box in boxes[:3]}
    assert tree == {"": {"cross_entropy"}, "TwoLayerNet": set(), "Affine": {"W1", "b1", "affine"}}
    source = draw(network()).source
    assert source.count("subgraph cluster_") == 4
    for label in ("TwoLayerNet", "Affine", "ReLU"):
        assert f">{label}</td></tr></table>>" in source


def test_a_closed_box_is_one_node():
    loss = network()
    loss.backward()
    assert blocks(scene.scene(loss, depth=0)) == ["TwoLayerNet\nW1, b1, W2, b2"]
    drawn = scene.scene(loss, depth=1)
    assert blocks(drawn) == ["Affine\nW1, b1", "ReLU", "Affine\nW2, b2"]
    assert [node.op.name for node in drawn.nodes] == ["cross_entropy"]
    assert "subgraph" in draw(loss, depth=1).source


def test_arguments_of_a_function_are_outside_its_box():
    @grouped()
    def bell(x, width):
        return exp(-x * x / width)

    x, width = Value(0.5, "x"), Value(2.0, "width")
    inside = Value(3.0, "inside")

    @grouped("outer")
    def outer(x):
        return bell(x, width) * inside

    boxes = {box.label: box for box in scene.scene(outer(x)).root.all_boxes()}
    assert {node.name for node in boxes[""].nodes} == {"x"}
    assert {node.name for node in boxes["outer"].nodes} == {None, "width", "inside"}
    assert {node.name for node in boxes["bell"].nodes} == {None}


def test_a_group_is_forgotten_with_its_result():
    before = len(groups._results)
    y = network()
    assert len(groups._results) == before + 3  # the network's result is that of its last layer
    del y
    assert len(groups._results) == before


def test_the_gradient_of_an_edge_into_a_closed_box_is_a_sum():
    @grouped("both")
    def both(x):
        return sin(x) * x

    x = Value(0.7, "x")
    y = both(x) + 3 * x
    y.backward()
    shares = [float(edge.gradient) for edge in out_of("x", draw(y, depth=0).source)]
    assert sum(shares) == pytest.approx(x.grad, rel=1e-5)
    assert len(shares) == 2
