"""Collects the issues of many recordings and sums them up, one line for each kind."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tqdm import tqdm

MAX_NAMES = 3  # how many recordings of a kind are named in its line


@dataclass(frozen=True)
class Issue:
    """Something about a recording that its owner should know.

    Attributes:
        kind: What it is, in words that are the same for all recordings: "clipped samples".
        detail: What was measured on this one: "3.1 %". May be empty.
    """

    kind: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind} ({self.detail})" if self.detail else self.kind


def list_names(names: Sequence[str]) -> str:
    """Lists the first names, and says how many more there are: "a, b, c and 12 more"."""
    shown = ", ".join(names[:MAX_NAMES])
    return f"{shown} and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else shown


@dataclass
class IssueLog:
    """The issues of many recordings, in the order in which they were added."""

    _issues: dict[str, list[Issue]] = field(default_factory=dict)

    def add(self, name: str, issues: Iterable[Issue]) -> None:
        """Adds the issues of a recording; none are fine."""
        if found := list(issues):
            self._issues.setdefault(name, []).extend(found)

    def by_name(self) -> dict[str, list[str]]:
        """Returns the whole list, for a JSON file: texts by name of the recording."""
        return {name: [str(issue) for issue in issues] for name, issues in self._issues.items()}

    def by_kind(self) -> dict[str, list[str]]:
        """Returns the names of the recordings by kind of issue, the most frequent kind first."""
        kinds: dict[str, list[str]] = {}
        for name, issues in self._issues.items():
            for kind in dict.fromkeys(issue.kind for issue in issues):
                kinds.setdefault(kind, []).append(name)
        return dict(sorted(kinds.items(), key=lambda item: -len(item[1])))

    def lines(self) -> list[str]:
        """Sums up: for each kind, the number of recordings and the first three of them."""
        texts = []
        for kind, names in self.by_kind().items():
            details = {
                name: issue.detail
                for name in names
                for issue in self._issues[name]
                if issue.kind == kind and issue.detail
            }
            shown = [f"{name} ({details[name]})" if name in details else name for name in names]
            noun = "recording" if len(names) == 1 else "recordings"
            texts.append(f"{len(names)} {noun}: {kind}: {list_names(shown)}")
        return texts

    def warn(self, where: str) -> None:
        """Prints the lines as warnings on stderr.

        Args:
            where: The file with the whole list (see `by_name`); named if a line is not complete.
        """
        for line, names in zip(self.lines(), self.by_kind().values(), strict=True):
            rest = f"; all are listed in {where}" if len(names) > MAX_NAMES else ""
            tqdm.write(f"warning: {line}{rest}", file=sys.stderr)
