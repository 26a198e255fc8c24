# Other names for `python3 bootstrap.py …`; make is not needed. Options: make test ARGS="tests/usage -x"
PYTHON ?= python3
ARGS ?=

.PHONY: help run test lint lock build bench chaos screens manage
help:
	@$(PYTHON) bootstrap.py help

run test lint lock build bench chaos screens manage:
	@$(PYTHON) bootstrap.py $@ $(ARGS)
