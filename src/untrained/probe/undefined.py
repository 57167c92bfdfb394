"""What has no value, with the reason."""


class Undefined(Exception):  # noqa: N818 - a result, not a fault
    """Raised by a formula, or by what it asks of an observation, for a network that has no value; says why."""
