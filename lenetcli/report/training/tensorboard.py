"""A training for TensorBoard: scalars of every step, histograms of weights and gradients, pictures, the graph.

The files go to `tensorboard/` in the run directory: `tensorboard --logdir runs` shows all runs side by side.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.data import DataLoader, Subset
from lenetcli.errors import ConfigError, LenetError
from lenetcli.kernels.device import to_host
from lenetcli.train.events import Evaluated, Event, Step
from lenetcli.train.run import Run

if TYPE_CHECKING:
    from lenetcli.inspection.graph.trace import Trace

NAME = "tensorboard"
PICTURES = 16  # of the data
DATA = "data"  # in the graph: where no gradient goes, which is what comes in (and weights that are frozen)
PAUSE = 5.0  # seconds between two looks that a reader of the file can have
_ABOVE = 1e-12 * 1.1 ** np.arange(774)  # up to 1e20
EDGES = np.concatenate([-_ABOVE[::-1], [0.0], _ABOVE])  # of a histogram's bins: TensorFlow's
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
    """Listens to a run and writes its event file, which is on disk after each evaluation and every few seconds.

    It writes at once, without the thread of tensorboardX's own SummaryWriter: what goes wrong there is never heard of.

    Args:
        run: whose model is looked at; where it goes on from a checkpoint, what was written after that is taken back.
        failed: hears of what could not be shown.

    Raises:
        LenetError: the file cannot be written.
    """

    def __init__(self, run: Run, place: Path, failed: Callable[[str, Exception], None]) -> None:
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import SessionLog

        self.run = run
        step = run.progress.step
        try:
            (place / NAME).mkdir(exist_ok=True)
            # two parts of a run that begin in the same second have two files
            self.writer = EventsWriter(str(place / NAME / "events"), f".{step}")
        except OSError as error:
            raise LenetError(f"cannot write to {place / NAME}: {error.strerror or error}") from None
        self._flushed = time.monotonic()
        if step:
            self._write(step + 1, session_log=SessionLog(status=SessionLog.START))
            return
        for what, show in (("the data", self._pictures), ("the graph", self._graph)):
            try:
                show()
            except Exception as error:
                failed(f"TensorBoard shows nothing of {what}", error)

    def __call__(self, event: Event) -> None:
        """Writes what an event says."""
        if isinstance(event, Step):
            self._scalar("train/loss of a step", event.loss, event.step)
            self._scalar("train/learning rate", event.lr, event.step)
        elif isinstance(event, Evaluated):
            self._scalar(f"{event.split}/loss", event.loss, event.step)
            if event.accuracy is not None:
                self._scalar(f"{event.split}/accuracy", event.accuracy, event.step)
            if event.split == "train":
                self._scalar("train/images per second", event.samples_per_second, event.step)
                self._histograms(event.step)
        if not isinstance(event, Step) or time.monotonic() - self._flushed > PAUSE:
            self.writer.flush()
            self._flushed = time.monotonic()

    def close(self) -> None:
        """Sends what is left on its way."""
        self.writer.close()

    def _write(self, step: int, **what: Any) -> None:
        from tensorboardX.proto.event_pb2 import Event as Record

        self.writer.write_event(Record(step=step, wall_time=time.time(), **what))

    def _scalar(self, name: str, value: float, step: int) -> None:
        from tensorboardX.summary import scalar

        self._write(step, summary=scalar(name, value))

    def _histograms(self, step: int) -> None:
        """Weights as they are now, gradients as the last step had them."""
        for name, parameter in self.run.model.named_parameters():
            place = name.replace(".", "/")
            self._histogram(f"weights/{place}", parameter.array, step)
            if parameter.grad is not None:
                self._histogram(f"gradients/{place}", parameter.grad.array, step)

    def _histogram(self, name: str, array: Any, step: int) -> None:
        """The numbers that are finite; nothing where there are none."""
        from tensorboardX.summary import histogram

        found = to_host(array)
        values = found[np.isfinite(found)].astype(np.float64)
        if values.size:
            summary = histogram(name, np.clip(values, EDGES[0], EDGES[-1]), EDGES)
            summary.value[0].histo.min, summary.value[0].histo.max = values.min(), values.max()
            self._write(step, summary=summary)

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
            self._write(0, summary=Summary(value=[value]))

    def _graph(self) -> None:
        """The graph of the loss, from the first training samples."""
        from lenetcli.inspection.graph.trace import trace

        run = self.run
        found = trace(run, [], [_first(run.train_loader, SAMPLES)])
        run.optimizer.zero_grad()
        self._write(0, graph_def=graph(found).SerializeToString())


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
