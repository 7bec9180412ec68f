"""Judge the repository, compare two audits, and say what each machine can expect."""
