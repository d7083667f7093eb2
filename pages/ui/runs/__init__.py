"""Parts of the Runs page: tables of runs, their comparison, the trash."""
