"""The mistake lab: common mistakes, each made for real beside the right way. One file for each; LESSONS lists them."""

from lenetcli.inspection.lab import (
    backward_twice,
    bad_init,
    cut_graph,
    forget_eval,
    forget_no_grad,
    forget_zero_grad,
    judge_on_train,
    lr_too_high,
    no_nonlinearity,
    no_shuffle,
    other_parameters,
    softmax_twice,
    unscaled_inputs,
    wrong_loss_targets,
)
from lenetcli.inspection.lab.bench import Bench
from lenetcli.inspection.lab.lesson import Finding, Lesson

LESSONS: dict[str, Lesson] = {
    module.LESSON.name: module.LESSON
    for module in (
        forget_zero_grad,
        forget_no_grad,
        backward_twice,
        lr_too_high,
        no_nonlinearity,
        bad_init,
        no_shuffle,
        forget_eval,
        softmax_twice,
        wrong_loss_targets,
        cut_graph,
        other_parameters,
        unscaled_inputs,
        judge_on_train,
    )
}

__all__ = ["LESSONS", "Bench", "Finding", "Lesson"]
