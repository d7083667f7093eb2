"""Everything that the library writes to disk, and reading of files that a crash, a person or an attacker may have left.

No other package writes, renames or deletes files: `tests/test_walls.py` holds that, and `tests/faults/test_writes.py`
makes each write fail. A file or folder appears complete or not at all, whatever fails and whenever the process is
killed. A file that others may have changed is opened for reading by `read.open_file`, which accepts nothing but regular
files, and read with a limit.

After a power failure, each file is still the old or the new one: its content is flushed to the disk (`fsync`) before it
takes its place. The folder is not flushed, so what was written in the last seconds may be missing as a whole. Two kinds
of files are not flushed, because they are written every second and readers cope with their loss: status.json
(`durable=False`) and lines that are appended.
"""
