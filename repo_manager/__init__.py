"""Keeps the push-install repository of Azure Site Recovery servers complete and proves it.

Reading order: `names` (a file's name), `catalog` (what should exist), `systems` (an operating
system in anyone's words), `repository` (what lies in the folder), `selection` (what is wanted),
`audit` (findings), `plan` (actions), `transaction` (carrying them out). Everything that touches
the world is in `edges`; `cli` introduces the parts to each other.
"""

__version__ = "0.1.0"
