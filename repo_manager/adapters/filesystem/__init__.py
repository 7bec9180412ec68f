"""The repository on disk, and what disks are like: paths, durable renames, the lock, the journal."""
