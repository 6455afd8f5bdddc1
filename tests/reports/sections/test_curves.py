from dataclasses import replace

from switchseg.reports.runs import read_runs
from switchseg.reports.sections import curves


def test_there_is_one_chart_per_quantity_that_was_logged(run_folders):
    runs = read_runs(run_folders)
    markup = curves.section(runs)
    for title in ("Training loss", "mIoU on the evaluation split", "Learning rate of the encoder", "Images per second"):
        assert f"<figcaption>{title}<output" in markup
    assert "mIoU while training" not in markup
    assert curves.section([replace(runs[0], events={})]) is None


def test_the_last_values_are_told_to_those_who_hear_the_page(run_folders):
    runs = read_runs(run_folders)
    losses = [f"{run.label}: {run.events['train'][-1]['loss']:.4g}" for run in runs]
    assert f'aria-label="Training loss over steps. Last values: {"; ".join(losses)}."' in curves.section(runs)


def test_one_run_needs_no_legend(run_folders):
    assert curves.legend(read_runs(run_folders[:1])) is None
    assert curves.legend(read_runs(run_folders)).count("<li>") == 3
