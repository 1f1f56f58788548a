"""`lenet gradcheck`: is the gradient of every parameter right?"""

from __future__ import annotations

from typing import Annotated

import typer

from lenetcli.cli.options import ConfigOrRun, Json, LayerOverrides, show
from lenetcli.errors import CheckFailed, ConfigError, DataError, plain_text


def gradcheck(
    what: ConfigOrRun,
    overrides: LayerOverrides = None,
    samples: Annotated[int, typer.Option(min=1, help="Samples of the first batch to use.")] = 8,
    directions: Annotated[int, typer.Option(min=1, help="Random directions for each parameter.")] = 2,
    as_json: Json = False,
) -> None:
    """Compare the gradient of each parameter with differences of the loss, in float64; exit 5 if one is wrong.

    Example: lenet gradcheck configs/lenet.yaml
    """
    from lenetcli.autograd.random import drawing_from
    from lenetcli.inspection.model.gradient_check import check_model
    from lenetcli.inspection.record import strict
    from lenetcli.report.model.gradient_check import check_table
    from lenetcli.runs.open import load_training
    from lenetcli.train.evaluate import weight_of

    _, run = load_training(what, overrides or [])
    if not any(p.requires_grad for p in run.model.parameters()):
        raise ConfigError("this model has no parameters, so there is no gradient to check")
    inputs, targets = next(run.train_loader.batches(run.progress.epoch, 0))
    if not weight_of(run.criterion, targets[:samples]):
        raise DataError(f"nothing counts in the first {len(inputs[:samples])} samples, so that their loss is 0 / 0")
    run.begin_training()
    with drawing_from(run.random):
        found = check_model(run.model, run.criterion, inputs[:samples], targets[:samples], directions)
    wrong = [p for p in found if not p.worst.ok]
    record = {"ok": not wrong, "samples": len(inputs[:samples]), "parameters": found}
    told = f"\nchecked {len(found):,} parameters along {directions} directions each, {len(wrong)} wrong"
    show(strict(record), lambda _: [check_table(found), told], as_json, crop=False)
    if wrong:
        names = plain_text(", ".join(p.name for p in wrong[:10])) + (", ..." if len(wrong) > 10 else "")
        raise CheckFailed(f"wrong gradient of {names}; `lenet trace-grad {what} --check` names the operation")
