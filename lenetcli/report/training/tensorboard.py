"""A training for TensorBoard: scalars of every step, histograms of weights and gradients, pictures, the graph.

The files go to `tensorboard/` in the run directory: `tensorboard --logdir runs` shows all runs side by side.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.background import begun
from lenetcli.data import DataLoader, Subset
from lenetcli.errors import ConfigError, LenetError
from lenetcli.train.events import Evaluated, Event, Step
from lenetcli.train.run import Run

if TYPE_CHECKING:
    from lenetcli.inspection.graph.trace import Trace

NAME = "tensorboard"
PICTURES = 16  # of the data
DATA = "data"  # in the graph: where no gradient goes, which is what comes in (and weights that are frozen)
NO_THREAD = "threads of their own write TensorBoard's files, and none can begin: leave out --tensorboard"
SAMPLES = 2  # that the graph is drawn with: layers that normalise over a batch want more than one


def check_installed() -> None:
    """Refuses, before anything is trained, where tensorboardX is missing.

    Raises:
        ConfigError: it is.
    """
    try:
        import tensorboardX  # noqa: F401  # only whether it is there
    except ImportError:
        raise ConfigError("--tensorboard needs tensorboardX: python -m pip install 'lenet[tensorboard]'") from None


class TensorBoard:
    """Listens to a run and writes its event file.

    Args:
        run: whose model is looked at; where it goes on from a checkpoint, what was written after that is taken back.

    Raises:
        LenetError: the file cannot be written, or no thread can begin that would do it.
    """

    def __init__(self, run: Run, place: Path) -> None:
        from tensorboardX import SummaryWriter

        if not begun(int):
            raise LenetError(NO_THREAD)
        self.run, self._place = run, place / NAME
        self._failure: OSError | None = None
        step = run.progress.step
        try:
            self.writer = SummaryWriter(
                str(place / NAME),
                purge_step=step + 1 if step else None,
                filename_suffix=f".{step}",  # two parts of a run that begin in the same second have two files
            )
        except OSError as error:
            raise LenetError(f"cannot write to {place / NAME}: {error.strerror or error}") from None
        except (RuntimeError, MemoryError):
            raise LenetError(NO_THREAD) from None
        self._guard()
        try:
            if step == 0:
                self._pictures()
                self._graph()
        except RuntimeError as error:
            if "thread" not in str(error):
                raise
            raise LenetError(NO_THREAD) from None

    def __call__(self, event: Event) -> None:
        """Writes what an event says."""
        try:
            self._write(event)
        except RuntimeError as error:  # the queue's thread begins with the first event
            if "thread" not in str(error):
                raise
            raise LenetError(NO_THREAD) from None

    def _write(self, event: Event) -> None:
        if isinstance(event, Step):
            self.writer.add_scalar("train/loss of a step", event.loss, event.step)
            self.writer.add_scalar("train/learning rate", event.lr, event.step)
        elif isinstance(event, Evaluated):
            self.writer.add_scalar(f"{event.split}/loss", event.loss, event.step)
            if event.accuracy is not None:
                self.writer.add_scalar(f"{event.split}/accuracy", event.accuracy, event.step)
            if event.split == "train":
                self.writer.add_scalar("train/images per second", event.samples_per_second, event.step)
                self._histograms(event.step)

    def close(self) -> None:
        """Sends what is left on its way.

        Raises:
            LenetError: the file could not be written; the run is whole without it.
        """
        self.writer.close()
        if self._failure is not None:
            raise LenetError(
                f"cannot write to {self._place}: {self._failure.strerror or self._failure}; the run itself is saved"
            )

    def _guard(self) -> None:
        """A disk that is full must not end the thread that writes: whoever hands it more would wait for ever."""
        records = self.writer.file_writer.event_writer._ev_writer

        def guarded(work: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any) -> Any:
                if self._failure is None:
                    try:
                        return work(*args)
                    except OSError as error:
                        self._failure = error
                return None

            return call

        for name in ("write_event", "flush", "close"):
            setattr(records, name, guarded(getattr(records, name)))

    def _histograms(self, step: int) -> None:
        """Weights as they are now, gradients as the last step had them."""
        for name, parameter in self.run.model.named_parameters():
            place = name.replace(".", "/")
            self.writer.add_histogram(f"weights/{place}", parameter.array, step)
            if parameter.grad is not None and np.isfinite(parameter.grad.array).all():
                self.writer.add_histogram(f"gradients/{place}", parameter.grad.array, step)

    def _pictures(self) -> None:
        """The first samples to judge by, as the model gets them, black and white at the ends of their values."""
        from tensorboardX.proto.summary_pb2 import Summary

        from lenetcli.display.png import picture, png  # here, since every training imports this file

        inputs = _first(self.run.test_loader, PICTURES)[0].array
        if inputs.ndim != 4 or inputs.shape[1] not in (1, 3):
            return
        low, high = float(inputs.min()), float(inputs.max())
        for number, image in enumerate(inputs):
            pixels = picture((image - low) / ((high - low) or 1.0))
            shown = Summary.Image(
                height=pixels.shape[0], width=pixels.shape[1], colorspace=1 if pixels.ndim == 2 else 3,
                encoded_image_string=png(pixels),
            )  # fmt: skip
            value = Summary.Value(tag=f"data/{number}", image=shown)
            self.writer.file_writer.add_summary(Summary(value=[value]), 0)

    def _graph(self) -> None:
        """The graph of the loss, from the first training samples."""
        from tensorboardX.proto.event_pb2 import Event as Record

        from lenetcli.inspection.graph.trace import trace

        run = self.run
        found = trace(run, [], [_first(run.train_loader, SAMPLES)])
        run.optimizer.zero_grad()
        self.writer.file_writer.add_event(Record(graph_def=graph(found).SerializeToString()))


def graph(found: Trace) -> Any:
    """A traced pass as TensorBoard's graph: data flows the other way than gradients, and modules are boxes to open."""
    from tensorboardX.proto.attr_value_pb2 import AttrValue
    from tensorboardX.proto.graph_pb2 import GraphDef
    from tensorboardX.proto.node_def_pb2 import NodeDef
    from tensorboardX.proto.tensor_shape_pb2 import TensorShapeProto
    from tensorboardX.proto.versions_pb2 import VersionDef

    names = [_node_name(node.id, node.name, node.module, node.parameter) for node in found.nodes]
    nodes = []
    for node, name in zip(found.nodes, names):
        sizes = [TensorShapeProto(dim=[TensorShapeProto.Dim(size=n) for n in shape]) for shape in node.shapes]
        nodes.append(
            NodeDef(
                name=name,
                op="Parameter" if node.parameter is not None else node.name.removesuffix("Backward"),
                input=[DATA if target is None else names[target] for target in node.next],
                attr={"_output_shapes": AttrValue(list=AttrValue.ListValue(shape=sizes))},
            )
        )
    if any(DATA in node.input for node in nodes):
        nodes.append(NodeDef(name=DATA, op="NoGradient"))
    return GraphDef(node=nodes, versions=VersionDef(producer=22))


def _node_name(number: int, name: str, module: str, parameter: str | None) -> str:
    if parameter is not None:
        return parameter.replace(".", "/")
    place = f"{module.replace('.', '/')}/" if module else ""
    return f"{place}{name.removesuffix('Backward')}_{number}"


def _first(loader: DataLoader, count: int) -> tuple[Any, Any]:
    """The first samples of a loader's data, in its order."""
    few = range(min(count, len(loader.dataset)))
    inputs, targets = next(iter(DataLoader(Subset(loader.dataset, few), len(few))))
    return inputs, targets
