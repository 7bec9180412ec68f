"""Where installers come from: HTTP, folders, shares, signed sets; each fetches a file whole and verified."""
