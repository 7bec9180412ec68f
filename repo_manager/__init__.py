"""Keeps the push-install repository of Azure Site Recovery servers complete and proves it.

`core` computes on values: `names` (a file's name), `catalog` (what should exist), `systems` (an operating
system as people write it), `repository` (what is in the folder), `selection` (what is wanted), `audit`
(findings), `plan` (actions), `transaction` (carrying them out). `app` has the use cases, `adapters` the disk,
the network and Windows, `report` the output formats. `cli` and `web` call them.
"""

__version__ = "0.1.0"
