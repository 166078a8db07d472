"""What is asked before anything is changed."""

from typing import NamedTuple

from sitq.sanitize import Clean


class Question(NamedTuple):
    """A question that is answered with yes or no.

    Attributes:
        question: what would be done.
        subject: to what.
        verb: what the button that goes on says.
        typed: what a person must type to go on; "" when a key will do.
    """

    question: Clean
    subject: Clean
    verb: Clean
    typed: str = ""
