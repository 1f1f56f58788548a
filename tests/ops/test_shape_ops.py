"""Shape, joining and matrix ops: bad input, views and in-place change, memory order, node names."""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from tests.ops.sample import Sample
from tests.ops.test_sweep import call, torch_call

# m is the package or torch: both must refuse, with the same class of error
BAD: dict[str, tuple[Callable[[Any], Any], type[Exception], str]] = {
    "reshape to another size": (lambda m: m.ones(6).reshape(4), RuntimeError, "invalid for input of size 6"),
    "reshape to two -1": (lambda m: m.ones(6).reshape(-1, -1), RuntimeError, "only one dimension"),
    "reshape to -2": (lambda m: m.ones(6).reshape(-2), RuntimeError, "invalid shape dimension -2"),
    "reshape nothing to -1, 0": (lambda m: m.ones(0).reshape(-1, 0), RuntimeError, "-1"),
    "reshape to text": (lambda m: m.ones(6).reshape("6"), TypeError, "str"),
    "flatten backwards": (lambda m: m.ones(2, 3).flatten(1, 0), RuntimeError, "start_dim"),
    "unflatten to another size": (lambda m: m.ones(6).unflatten(0, (4, -1)), RuntimeError, "multiply up"),
    "unflatten to nothing": (lambda m: m.ones(6).unflatten(0, ()), RuntimeError, "unflatten"),
    "unsqueeze out of range": (lambda m: m.ones(2).unsqueeze(3), IndexError, "Dimension out of range"),
    "squeeze a dim twice": (lambda m: m.ones(1, 2).squeeze((0, 0)), RuntimeError, "0"),
    "permute with a dim twice": (lambda m: m.ones(2, 3).permute(0, 0), RuntimeError, "permute|repeated"),
    "permute with too few": (lambda m: m.ones(2, 3).permute(0), RuntimeError, "permute"),
    "transpose out of range": (lambda m: m.ones(2, 3).transpose(0, 2), IndexError, "Dimension out of range"),
    "t of three dimensions": (lambda m: m.ones(2, 2, 2).t(), RuntimeError, "<= 2"),
    "mT of a vector": (lambda m: m.ones(3).mT, RuntimeError, "matrices"),
    "H of a batch": (lambda m: m.ones(2, 2, 2).H, RuntimeError, "matrices"),
    "movedim of unequal length": (lambda m: m.ones(2, 3).movedim((0, 1), (0,)), RuntimeError, "same number"),
    "movedim with a dim twice": (lambda m: m.ones(2, 3).movedim((0, 0), (0, 1)), RuntimeError, "repeated"),
    "expand of a size above 1": (lambda m: m.ones(3).expand(2), RuntimeError, "must match the existing size"),
    "expand to fewer dimensions": (lambda m: m.ones(2, 3).expand(3), RuntimeError, "number of sizes provided"),
    "expand by a new -1": (lambda m: m.ones(3).expand(-1, 3), RuntimeError, "-1"),
    "broadcast of what does not fit": (
        lambda m: m.broadcast_tensors(m.ones(2), m.ones(3)), RuntimeError, "must match the size"
    ),
    "repeat with too few counts": (lambda m: m.ones(2, 3).repeat(2), RuntimeError, "repeat dims can not be smaller"),
    "repeat a negative number of times": (lambda m: m.ones(3).repeat(-1), RuntimeError, "negative dimension"),
    "repeat_interleave below 0": (lambda m: m.ones(3).repeat_interleave(-1), RuntimeError, "non-negative"),
    "repeat_interleave with too few": (
        lambda m: m.ones(3).repeat_interleave(m.tensor([1, 2]), 0), RuntimeError, "same size as input along dim"
    ),
    "repeat_interleave of another output_size": (
        lambda m: m.ones(3).repeat_interleave(2, output_size=7), RuntimeError, "Invalid output_size"
    ),
    "repeat_interleave by floats": (
        lambda m: m.ones(3).repeat_interleave(m.ones(3)), NotImplementedError, "repeat_interleave"
    ),
    "meshgrid of a matrix": (lambda m: m.meshgrid(m.ones(2, 2), indexing="ij"), RuntimeError, "0D or 1D"),
    "meshgrid of two types": (
        lambda m: m.meshgrid(m.ones(2), m.tensor([1]), indexing="ij"), RuntimeError, "same dtype"
    ),
    "meshgrid with another indexing": (lambda m: m.meshgrid(m.ones(2), indexing="zz"), RuntimeError, "zz"),
    "cartesian_prod of a matrix": (lambda m: m.cartesian_prod(m.ones(2, 2)), RuntimeError, "1D vector"),
    "combinations of -1": (lambda m: m.combinations(m.ones(2), -1), RuntimeError, "non-negative number"),
    "cat of nothing": (lambda m: m.cat([]), ValueError, "non-empty list"),
    "cat of one tensor": (lambda m: m.cat(m.ones(2, 3)), TypeError, "must be tuple of Tensors"),
    "cat of a number": (lambda m: m.cat([m.ones(2), 3]), TypeError, "Tensor"),
    "cat of 0-d tensors": (lambda m: m.cat([m.tensor(1.0)]), RuntimeError, "zero-dimensional tensor"),
    "cat of other sizes": (lambda m: m.cat([m.ones(2, 3), m.ones(2, 2)]), RuntimeError, "except in dimension 0"),
    "cat of other dimensions": (lambda m: m.cat([m.ones(2, 3), m.ones(3)]), RuntimeError, "same number of dimensions"),
    "cat out of range": (lambda m: m.cat([m.ones(2, 3)], 2), IndexError, "Dimension out of range"),
    "stack of nothing": (lambda m: m.stack([]), RuntimeError, "non-empty"),
    "stack of other shapes": (lambda m: m.stack([m.ones(2), m.ones(3)]), RuntimeError, "equal size"),
    "stack out of range": (lambda m: m.stack([m.ones(2)], 2), IndexError, "Dimension out of range"),
    "hstack of vector and matrix": (lambda m: m.hstack([m.ones(2), m.ones(2, 2)]), RuntimeError, "dimensions"),
    "block_diag of a batch": (lambda m: m.block_diag(m.ones(2, 2, 2)), RuntimeError, "2 or fewer"),
    "split by 0": (lambda m: m.ones(3).split(0), RuntimeError, "split"),
    "split that does not add up": (lambda m: m.ones(3).split([1, 1]), RuntimeError, "sum exactly to 3"),
    "split into negative parts": (lambda m: m.ones(3).split([4, -1]), RuntimeError, "non-negative"),
    "split of a number": (lambda m: m.tensor(1.0).split(1), RuntimeError, "at least a 1-dimensional"),
    "chunk into 0": (lambda m: m.ones(3).chunk(0), RuntimeError, "greater than 0"),
    "tensor_split into 0": (lambda m: m.ones(3).tensor_split(0), RuntimeError, "larger than 0"),
    "hsplit that does not come out even": (lambda m: m.ones(3, 3).hsplit(2), RuntimeError, "not divisible"),
    "vsplit of a vector": (lambda m: m.ones(3).vsplit(3), RuntimeError, "at least 2 dimension"),
    "unbind of a number": (lambda m: m.tensor(1.0).unbind(), IndexError, "no dimensions"),
    "narrow too far": (lambda m: m.ones(3).narrow(0, 2, 2), RuntimeError, "exceeds dimension size"),
    "narrow to -1": (lambda m: m.ones(3).narrow(0, 0, -1), RuntimeError, "non-negative"),
    "narrow from out of range": (lambda m: m.ones(3).narrow(0, 4, 0), IndexError, "start out of range"),
    "select out of range": (lambda m: m.ones(3).select(0, 3), IndexError, "out of range"),
    "unfold of too much": (lambda m: m.ones(3).unfold(0, 4, 1), RuntimeError, "maximum size"),
    "unfold in steps of 0": (lambda m: m.ones(3).unfold(0, 1, 0), RuntimeError, "step"),
    "flip of a dim twice": (lambda m: m.ones(2, 3).flip(0, 0), RuntimeError, "dim"),
    "fliplr of a vector": (lambda m: m.ones(3).fliplr(), RuntimeError, ">= 2-d"),
    "roll with unequal lists": (lambda m: m.ones(2, 3).roll((1, 2), 0), RuntimeError, "must align"),
    "roll of a number along 0": (lambda m: m.tensor(1.0).roll(1, 0), IndexError, "no dimensions"),
    "rot90 in one dimension": (lambda m: m.ones(2, 3).rot90(1, (1, -1)), RuntimeError, "different"),
    "diag of three dimensions": (lambda m: m.ones(2, 2, 2).diag(), RuntimeError, "1D or 2D"),
    "diagonal of one dimension": (lambda m: m.ones(2, 2).diagonal(0, 0, 0), RuntimeError, "identical"),
    "tril of a vector": (lambda m: m.ones(3).tril(), RuntimeError, "at least 2 dimensions"),
    "tril_indices of a negative size": (lambda m: m.tril_indices(-1, 2), RuntimeError, "negative"),
    "tril_indices of floats": (lambda m: m.tril_indices(2, 2, dtype=m.float32), NotImplementedError, "tril_indices"),
    "trace of a vector": (lambda m: m.ones(3).trace(), RuntimeError, "expected a matrix"),
    "trace of bools": (lambda m: m.ones(2, 2, dtype=m.bool).trace(), NotImplementedError, "trace"),
    "fill_diagonal_ of uneven sizes": (lambda m: m.ones(2, 3, 3).fill_diagonal_(1), RuntimeError, "equal length"),
    "mm of what does not fit": (lambda m: m.mm(m.ones(2, 3), m.ones(2, 3)), RuntimeError, "cannot be multiplied"),
    "mm of two types": (lambda m: m.mm(m.ones(2, 2), m.ones(2, 2, dtype=m.float64)), RuntimeError, "same dtype"),
    "mm of bools": (
        lambda m: m.mm(m.ones(2, 2, dtype=m.bool), m.ones(2, 2, dtype=m.bool)), NotImplementedError, "mm"
    ),
    "mm of a number": (lambda m: m.mm(m.ones(2, 2), 2), TypeError, "must be Tensor, not int"),
    "addmm of a wide input": (lambda m: m.addmm(m.ones(3, 2), m.ones(2, 2), m.ones(2, 2)), RuntimeError, "expanded"),
    "addmm of a deep input": (lambda m: m.addmm(m.ones(1, 2, 2), m.ones(2, 2), m.ones(2, 2)), RuntimeError, "expand"),
    "bmm of matrices": (lambda m: m.bmm(m.ones(2, 2), m.ones(2, 2)), RuntimeError, "batch"),
    "bmm of unequal batches": (lambda m: m.bmm(m.ones(2, 2, 2), m.ones(3, 2, 2)), RuntimeError, "batch"),
    "mv of what does not fit": (lambda m: m.mv(m.ones(2, 3), m.ones(2)), RuntimeError, "size mismatch"),
    "dot of matrices": (lambda m: m.dot(m.ones(2, 2), m.ones(2, 2)), RuntimeError, "1D tensors"),
    "dot of unequal sizes": (lambda m: m.dot(m.ones(2), m.ones(3)), RuntimeError, "size"),
    "dot of two types": (lambda m: m.dot(m.ones(2), m.ones(2, dtype=m.float64)), RuntimeError, "dtype"),
    "outer of a matrix": (lambda m: m.outer(m.ones(2, 2), m.ones(2)), RuntimeError, "1-D"),
    "inner of unequal sizes": (lambda m: m.inner(m.ones(3), m.ones(2)), RuntimeError, "last dimension must match"),
    "matmul with a number": (lambda m: m.ones(2, 2) @ 2, TypeError, "must be Tensor, not int|unsupported operand"),
    "matmul with a 0-d tensor": (lambda m: m.ones(2, 2) @ m.tensor(1.0), RuntimeError, "at least 1D"),
    "matmul of what does not fit": (lambda m: m.ones(4, 2, 3) @ m.ones(2), RuntimeError, "size"),
    "matmul of unequal batches": (lambda m: m.ones(2, 3, 3) @ m.ones(3, 3, 3), RuntimeError, "must match the size"),
    "cross of pairs": (lambda m: m.linalg.cross(m.ones(2), m.ones(2)), RuntimeError, "length 3"),
    "cross of other dimensions": (lambda m: m.linalg.cross(m.ones(3), m.ones(2, 3)), RuntimeError, "dimensions"),
    "tensordot of what does not fit": (
        lambda m: m.tensordot(m.ones(2, 3), m.ones(2, 3), 1), RuntimeError, "need to match"
    ),
    "tensordot over too many": (lambda m: m.tensordot(m.ones(2, 3), m.ones(2, 3), 3), RuntimeError, "dims"),
    "multi_dot of one": (lambda m: m.linalg.multi_dot([m.ones(2, 3)]), RuntimeError, "at least 2 tensors"),
    "multi_dot of what does not fit": (
        lambda m: m.linalg.multi_dot([m.ones(2, 3), m.ones(2, 3)]), RuntimeError, "cannot be multiplied"
    ),
    "vecdot of integers": (lambda m: m.linalg.vecdot(m.arange(3), m.arange(3)), RuntimeError, "floating"),
    "matrix_norm of a vector": (lambda m: m.linalg.matrix_norm(m.ones(2)), RuntimeError, "at least 2 dimensions"),
    "matrix_norm of another order": (lambda m: m.linalg.matrix_norm(m.ones(2, 2), 3), RuntimeError, "not supported"),
    "norm of three dimensions": (lambda m: m.linalg.norm(m.ones(2, 2, 2), 2), RuntimeError, "1D or 2D"),
    "matrix_norm of a narrower type": (
        lambda m: m.linalg.matrix_norm(m.ones(2, 2, dtype=m.float64), dtype=m.float32), RuntimeError, "narrowing"
    ),
    "einsum that does not fit": (
        lambda m: m.einsum("ij,jk->ik", m.ones(2, 3), m.ones(2, 3)), RuntimeError, "does not broadcast"
    ),
    "einsum with an unknown output": (lambda m: m.einsum("i->j", m.ones(2)), RuntimeError, "does not appear"),
    "einsum with an output twice": (lambda m: m.einsum("i->ii", m.ones(2)), RuntimeError, "more than once"),
    "einsum with too few operands": (lambda m: m.einsum("i,j", m.ones(2)), RuntimeError, "fewer operands"),
    "einsum with too many operands": (lambda m: m.einsum("i", m.ones(2), m.ones(2)), RuntimeError, "more operands"),
    "einsum with too many letters": (lambda m: m.einsum("ijk", m.ones(2, 2)), RuntimeError, "number of subscripts"),
    "einsum with a sign": (lambda m: m.einsum("i$", m.ones(2, 2)), RuntimeError, "invalid subscript"),
    "einsum with two ellipses": (lambda m: m.einsum("...i...", m.ones(2, 2)), RuntimeError, "einsum"),
    "einsum of nothing": (lambda m: m.einsum(""), ValueError, "at least one operand"),
    "einsum of an uneven diagonal": (lambda m: m.einsum("ii", m.ones(2, 3)), RuntimeError, "repeated"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_refused(what: str) -> None:
    attempt, kind, words = BAD[what]
    with pytest.raises(kind, match=words):
        attempt(lenet)


@pytest.mark.parametrize("what", BAD)
def test_torch_refuses_the_same_with_the_same_class_of_error(torch: Any, what: str) -> None:
    attempt, kind, _ = BAD[what]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(kind):
            attempt(torch)


def test_unsupported_arguments_are_named() -> None:
    with pytest.raises(NotImplementedError, match=r"view\(dtype\)"):
        lenet.ones(2).view(lenet.int32)
    with pytest.raises(TypeError, match="alpha and beta must be integers"):
        lenet.addmm(*[lenet.ones(2, 2, dtype=lenet.int64)] * 3, alpha=0.5)


def test_sizes_may_be_given_one_by_one_as_a_sequence_or_by_keyword() -> None:
    x = lenet.arange(6)
    assert (
        x.reshape(2, 3).shape == x.reshape((2, 3)).shape == x.reshape(shape=[2, 3]).shape == x.view(size=(2, 3)).shape
    )
    y = x.reshape(2, 3)
    assert y.permute(1, 0).shape == y.permute([1, 0]).shape == lenet.permute(y, dims=(1, 0)).shape
    assert x.expand(2, 6).shape == x.expand(size=(2, 6)).shape
    assert x.repeat(2, 2).shape == x.repeat(repeats=(2, 2)).shape == x.tile(dims=(2, 2)).shape
    assert y.flip(0).tolist() == y.flip(dims=(0,)).tolist()
    with pytest.raises(TypeError, match="twice"):
        x.reshape(2, 3, shape=(2, 3))


VIEWS: dict[str, Callable[[Any], Any]] = {
    "reshape": lambda x: x.reshape(3, 2, 4)[0],
    "view": lambda x: x.view(-1),
    "unflatten": lambda x: x.unflatten(1, (1, 3)),
    "unsqueeze": lambda x: x.unsqueeze(0),
    "squeeze": lambda x: x.squeeze(),
    "permute": lambda x: x.permute(2, 0, 1),
    "transpose": lambda x: x.transpose(0, 1),
    "mT": lambda x: x.mT,
    "T": lambda x: x.T,
    "movedim": lambda x: x.movedim(0, 2),
    "expand": lambda x: x.expand(2, 3, 4),
    "split": lambda x: x.split(1)[1],
    "split of sizes": lambda x: x.split([1, 2], 1)[1],
    "chunk": lambda x: x.chunk(2)[0],
    "tensor_split": lambda x: x.tensor_split(2, 2)[1],
    "unbind": lambda x: x.unbind(2)[3],
    "iteration": lambda x: list(x)[1],
    "narrow": lambda x: x.narrow(1, 1, 2),
    "select": lambda x: x.select(1, 2),
    "unfold": lambda x: x.unfold(2, 2, 2),
    "diagonal": lambda x: x.diagonal(0, 0, 2),
}


@pytest.mark.parametrize("name", VIEWS)
def test_views_share_memory_and_the_version_counter(name: str) -> None:
    x = lenet.zeros(2, 3, 4)
    part = VIEWS[name](x)
    assert np.shares_memory(part.numpy(), x.numpy())
    part.fill_(1)
    assert x.sum().item() == part.numel()
    assert x._version == part._version == 1


@pytest.mark.parametrize("name", VIEWS)
def test_in_place_change_through_a_view_is_noticed_by_backward(name: str) -> None:
    x = lenet.ones(2, 3, 4, requires_grad=True)
    y = x * 1
    z = (y * y).sum()
    with lenet.no_grad():
        VIEWS[name](y).mul_(2)
    with pytest.raises(RuntimeError, match="modified by an in-place operation"):
        z.backward()


COPIES: dict[str, Callable[[Any], Any]] = {
    "repeat": lambda x: x.repeat(1, 1, 1),
    "tile": lambda x: x.tile(1),
    "repeat_interleave": lambda x: x.repeat_interleave(1, 0),
    "flip": lambda x: x.flip(0),
    "roll": lambda x: x.roll(1),
    "rot90": lambda x: x.rot90(),
    "cat": lambda x: lenet.cat([x]),
    "stack": lambda x: lenet.stack([x]),
    "tril": lambda x: x.tril(),
    "diag": lambda x: x[0].diag(),
    "transpose and reshape": lambda x: x.transpose(0, 1).reshape(-1),
    "contiguous": lambda x: x.transpose(0, 1).contiguous(),
    "expand and contiguous": lambda x: x.expand(2, 2, 3, 4).contiguous(),
    "matmul": lambda x: x @ lenet.eye(4),
    "einsum": lambda x: lenet.einsum("ijk,k->ij", x, lenet.ones(4)),
}


@pytest.mark.parametrize("name", COPIES)
def test_copies_can_be_changed_in_place_without_a_trace_in_their_source(name: str) -> None:
    x = lenet.ones(2, 3, 4)
    COPIES[name](x).mul_(5)
    assert x.tolist() == lenet.ones(2, 3, 4).tolist()
    leaf = lenet.ones(2, 3, 4, requires_grad=True)
    y = COPIES[name](leaf)
    y.mul_(2)
    y.sum().backward()
    assert leaf.grad is not None


def test_an_expanded_tensor_cannot_be_changed_in_place() -> None:
    x = lenet.zeros(3, 1).expand(3, 4)
    changes: list[Callable[[], Any]] = [
        lambda: x.add_(1),
        lambda: x[0].fill_(1),
        lambda: x.__setitem__(0, 1.0),
        lambda: x.unfold(1, 2, 1).zero_(),
    ]
    for change in changes:
        with pytest.raises(RuntimeError, match="single memory location"):
            change()
    assert x.clone().add_(1).sum().item() == 12


def test_overlapping_windows_cannot_be_changed_in_place() -> None:
    with pytest.raises(RuntimeError, match="single memory location"):
        lenet.zeros(4).unfold(0, 2, 1).add_(1)


RESHAPING: dict[str, Callable[[Any], Any]] = {
    "t_": lambda x: x.t_(),
    "transpose_": lambda x: x.transpose_(0, 1),
    "swapaxes_": lambda x: x.swapaxes_(0, 1),
    "swapdims_": lambda x: x.swapdims_(0, 1),
    "unsqueeze_": lambda x: x.unsqueeze_(1),
    "squeeze_": lambda x: x.squeeze_(),
}


@pytest.mark.parametrize("name", RESHAPING)
def test_in_place_reshaping_changes_the_tensor_itself_and_its_place_in_the_graph(torch: Any, name: str) -> None:
    shapes = []
    for m in (lenet, torch):
        leaf = m.ones(1, 3, requires_grad=True)
        y = leaf * 2
        assert RESHAPING[name](y) is y
        (y * y).sum().backward()
        assert leaf.grad.tolist() == [[8.0] * 3]
        assert y._version == 1
        with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
            RESHAPING[name](leaf)
        shapes.append((tuple(y.shape), re.sub(r"\d+$", "", y.grad_fn.name())))
    assert shapes[0] == shapes[1]


def test_in_place_reshaping_of_a_saved_value_raises_at_backward() -> None:
    y = lenet.ones(2, 3, requires_grad=True) * 1
    z = (y * y).sum()
    y.t_()
    with pytest.raises(RuntimeError, match="modified by an in-place operation"):
        z.backward()


def batch_last(*shape: int) -> Any:
    array = np.random.default_rng(0).standard_normal((*shape[1:], shape[0])).astype(np.float32)
    return lenet.from_numpy(np.moveaxis(array, -1, 0))


def is_batch_last(x: Any) -> bool:
    return bool(np.moveaxis(x.numpy(), 0, -1).flags.c_contiguous)


def test_images_stay_batch_last() -> None:
    x, y = batch_last(4, 2, 3, 3), batch_last(4, 1, 3, 3)
    assert is_batch_last(lenet.cat([x, y], 1))
    assert is_batch_last(lenet.cat([x, x], 0))
    assert is_batch_last(x.flip(3))
    assert is_batch_last(x.roll(1, 2))
    assert is_batch_last(x.rot90(1, (2, 3)))
    assert is_batch_last(y.repeat(1, 3, 1, 1))
    assert is_batch_last(x.flatten(1))
    assert is_batch_last(x.split(1, 1)[0])
    assert is_batch_last(x.flatten(1) @ lenet.ones(18, 5))


def test_contiguous_of_an_ambiguous_view_refuses_in_place_change() -> None:
    x = batch_last(4, 2, 3, 3)
    assert x.contiguous() is x
    y = x.permute(0, 2, 3, 1).contiguous()
    assert y.numpy().flags.c_contiguous
    with pytest.raises(NotImplementedError, match="clone"):
        y.add_(1)


def test_parts_that_nobody_used_get_gradient_zero() -> None:
    for parts in (lambda x: x.split(1), lambda x: x.unbind(), lambda x: x.chunk(3), lambda x: x.tensor_split(3)):
        x = lenet.ones(3, 2, requires_grad=True)
        parts(x)[1].sum().backward()
        assert x.grad.tolist() == [[0.0, 0.0], [1.0, 1.0], [0.0, 0.0]]


def test_one_tensor_joined_with_itself_gets_both_gradients() -> None:
    x = lenet.ones(2, requires_grad=True)
    (lenet.cat([x, x]) * lenet.tensor([1.0, 2.0, 3.0, 4.0])).sum().backward()
    assert x.grad.tolist() == [4.0, 6.0]


def test_chain_matmul_multiplies_in_any_order_and_passes_one_matrix_through() -> None:
    random = np.random.default_rng(0)
    a, b, c = (random.standard_normal(s) for s in ((2, 7), (7, 3), (3, 4)))
    tensors = [lenet.tensor(x) for x in (a, b, c)]
    np.testing.assert_allclose(lenet.chain_matmul(*tensors).numpy(), a @ b @ c)
    assert lenet.chain_matmul(tensors[0]) is tensors[0]


def test_fill_diagonal_wraps_in_tall_matrices_and_stops_the_gradient() -> None:
    assert lenet.zeros(5, 2).fill_diagonal_(1, wrap=True).sum(1).tolist() == [1, 1, 0, 1, 1]
    assert lenet.zeros(5, 2).fill_diagonal_(1).sum(1).tolist() == [1, 1, 0, 0, 0]
    x = lenet.ones(2, 2, requires_grad=True)
    (x * 3).fill_diagonal_(7).sum().backward()
    assert x.grad.tolist() == [[0.0, 3.0], [3.0, 0.0]]


def test_in_place_products_write_into_their_first_operand() -> None:
    x = lenet.ones(2, 2)
    assert x.addmm_(lenet.ones(2, 3), lenet.ones(3, 2)) is x
    assert x.tolist() == [[4.0, 4.0], [4.0, 4.0]]
    with pytest.raises(RuntimeError, match="cannot change the shape"):
        lenet.ones(2).addmm_(lenet.ones(2, 3), lenet.ones(3, 2))


NAMED = "shape expanding joining splitting reordering diagonal linalg einsum"
named_samples = [s for m in NAMED.split() for s in importlib.import_module(f"tests.ops.samples.{m}").SAMPLES if s.grad]


@pytest.mark.parametrize("sample", named_samples, ids=str)
def test_nodes_have_torchs_names(torch: Any, sample: Sample) -> None:
    _, outs = call(sample)
    _, expected = torch_call(torch, sample)
    for out, wanted in zip(outs, expected):
        name = wanted.grad_fn and re.sub(r"Backward\d+", "Backward", wanted.grad_fn.name())
        assert (out.grad_fn and out.grad_fn.name()) == name
