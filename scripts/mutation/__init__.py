"""The parts of scripts/mutate.py."""
import importlib.util
import sys
import types


def messages_only(name):
    """Lets the messages of a package be imported without the package itself: TensorFlow takes seconds and half a gigabyte.

    The memory of this program counts as memory of the programs that it starts until they run."""
    if name not in sys.modules:
        package = types.ModuleType(name)
        package.__path__ = list(importlib.util.find_spec(name).submodule_search_locations)
        sys.modules[name] = package


messages_only("tensorflow")
messages_only("onnx")
