"""What must not break Digit Lab: damaged and hostile files, full disks, kills, races, load.

`make test` runs the short form of each harness. `make test-faults` runs the long form and writes its figures to
docs/reliability.md.
"""
