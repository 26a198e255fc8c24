"""`python -m providers.simulator`: serves a simulator without Django and without settings."""

import argparse
import sys

from providers.simulator.command import add_arguments, run

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m providers.simulator", description=__doc__)
    add_arguments(parser)
    sys.exit(run(vars(parser.parse_args())))
