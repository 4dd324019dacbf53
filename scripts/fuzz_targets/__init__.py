"""What ``scripts/fuzz`` throws bytes at: readers of files that others made."""
