"""What the audience sees: steps, what was sent, what was answered, and whether that was right."""

from rich.console import Console
from rich.text import Text


class StepFailed(Exception):
    """A step of the day did not end as it must."""


class Stage:
    """Prints the play: coloured on a terminal, plain anywhere else."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._step = 0

    def say(self, text: str = "", style: str = "") -> None:
        """Print a line."""
        self._console.print(Text(text, style=style))

    def step(self, title: str) -> None:
        """Begin a step."""
        self._step += 1
        self.say()
        self.say(f"{self._step:2}. {title}", "bold")

    def sent(self, sender: str, receiver: str, text: str) -> None:
        """Show what one system sent to another."""
        self._exchange(sender, "->", receiver, text, "cyan")

    def answered(self, sender: str, receiver: str, text: str) -> None:
        """Show what was answered to `sender`."""
        self._exchange(sender, "<-", receiver, text, "magenta")

    def holds(self, condition: object, claim: str, instead: str = "") -> None:
        """State what is true now; raises StepFailed when it is not."""
        if not condition:
            self.say(f"    NO  {claim}", "bold red")
            raise StepFailed(
                f"step {self._step}: it is not true that {claim}" + (f": {instead}" if instead else "")
            )
        self.say(f"    ok  {claim}", "green")

    def _exchange(self, left: str, arrow: str, right: str, text: str, style: str) -> None:
        self.say(f"    {left:>5} {arrow} {right:<5}  {text}", style)
