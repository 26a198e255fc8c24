"""A model provider without a model: the demo of a fresh install, and the upstream of tests and benches.

`simulator(...)` makes the ASGI application; `server.Server` and `server.ThreadServer` serve it on a loopback
port; `python -m providers.simulator` serves it alone. docs/simulator.md says what it can be told to do.
"""

from providers.simulator.app import Simulator

simulator = Simulator

__all__ = ["Simulator", "simulator"]
