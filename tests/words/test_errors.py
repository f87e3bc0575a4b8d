"""The tree of errors as it is drawn is the tree as it is."""
import inspect
import re

from wholebody import errors


def test_the_drawn_tree_holds_every_error_and_nothing_else():
    drawn = set(re.findall(r"[|`]-- (\w+)", errors.__doc__)) | {"WholebodyError"}
    real = {name for name, value in vars(errors).items() if inspect.isclass(value)}
    assert drawn == real
    assert all(issubclass(getattr(errors, name), errors.WholebodyError) for name in real)
