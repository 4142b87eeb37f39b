"""Starts Rasa as ``lotse serve`` needs it: ``python -m bot.dialogue.engine run ...`` takes the arguments of ``rasa``.

Plain ``rasa run`` works as well. This start is a second quicker, and does not bury our own lines under the deprecation
warnings of Rasa's old dependencies.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any


def _silent(*_args: Any, **_kwargs: Any) -> None:
    """Show nothing: the packages are pinned, so nobody could act on the warning."""


def main() -> None:
    """Run Rasa's command line with the arguments of this process."""
    warnings.showwarning = _silent
    # TensorFlow imports JAX, if it is there, for a converter that nobody uses here.
    sys.modules["jax"] = None  # type: ignore[assignment]
    from rasa.__main__ import main as rasa

    sys.argv[0] = "rasa"
    rasa()


if __name__ == "__main__":
    main()
