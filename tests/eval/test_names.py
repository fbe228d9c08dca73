"""The names of figures: every measure has one."""

from eval import names, run
from eval.metrics import ANSWER_SCORES, HIT_AT


def test_every_measure_and_every_leg_of_a_run_has_a_name() -> None:
    assert set(names.METRICS) == {*ANSWER_SCORES, *(f"evidence_hit@{k}" for k in HIT_AT)}
    assert list(names.LEGS) == list(run.LEGS)


def test_what_has_no_name_stands_for_itself() -> None:
    assert (names.metric("bleu").label, names.metric("bleu").better) == ("bleu", 0)
    assert (names.type_label("list"), names.type_label("essay")) == ("列举", "essay")
