# Every command of the project. `make` alone lists them.
help:
	@echo "make test: all checks and tests"
