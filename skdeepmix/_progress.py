"""What `verbose` shows while a model is fitted."""

from contextlib import contextmanager

try:
    from rich import progress as rich_progress
except ImportError:
    rich_progress = None


@contextmanager
def progress_bar(task, n_epochs, verbose):
    """Show a bar with the loss terms and the time left, or lines without rich.

    Parameters
    ----------
    task : str
        What is done, such as ``"GaussianMixtureVAE"``.
    n_epochs : int
        Number of epochs.
    verbose : int
        0 shows nothing.

    Yields
    ------
    update : callable
        To be called with the terms of every epoch, a dict of str to float.
    """
    if not verbose:
        yield lambda terms: None
    elif rich_progress is None:
        yield _line_printer(task, n_epochs)
    else:
        columns = [
            rich_progress.TextColumn("{task.description}"),
            rich_progress.BarColumn(),
            rich_progress.MofNCompleteColumn(),
            rich_progress.TimeRemainingColumn(),
            rich_progress.TextColumn("{task.fields[terms]}"),
        ]
        with rich_progress.Progress(*columns) as bar:
            row = bar.add_task(task, total=n_epochs, terms="")
            yield lambda terms: bar.update(row, advance=1, terms=_format(terms))


def _line_printer(task, n_epochs):
    epochs = iter(range(1, n_epochs + 1))
    return lambda terms: print(
        f"{task}: epoch {next(epochs)}/{n_epochs}, {_format(terms)}"
    )


def _format(terms):
    return ", ".join(f"{name} {value:.4g}" for name, value in terms.items())
