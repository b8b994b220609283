"""What `verbose` shows while a model is fitted."""

from contextlib import contextmanager
from importlib.metadata import version

from sklearn.utils.fixes import parse_version

try:
    import rich.console
    import rich.live
    import rich.progress
    import rich.text
except ImportError:
    rich = None
else:
    # Older ones show a single display at a time, and fail beside that of a callback or
    # of another fit.
    if parse_version(version("rich")) < parse_version("14.1"):
        rich = None


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
    elif rich is None:
        yield _line_printer(task, n_epochs)
    else:
        bar = rich.progress.Progress(
            "{task.description}",
            rich.progress.BarColumn(),
            rich.progress.MofNCompleteColumn(),
            rich.progress.TimeRemainingColumn(),
        )
        row, line = bar.add_task(task, total=n_epochs), rich.text.Text()

        def update(terms):
            bar.advance(row)
            line.plain = f"  {_format(terms)}"

        with rich.live.Live(rich.console.Group(bar, line)) as live:
            yield update
        if not live.console.is_terminal:  # Live ends the line on terminals alone
            live.console.line()


def _line_printer(task, n_epochs):
    epochs = iter(range(1, n_epochs + 1))
    return lambda terms: print(
        f"{task}: epoch {next(epochs)}/{n_epochs}, {_format(terms)}"
    )


def _format(terms):
    return ", ".join(f"{name} {value:.4g}" for name, value in terms.items())
