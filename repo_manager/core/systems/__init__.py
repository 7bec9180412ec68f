"""An operating system in free words -> exactly one package, or what is missing to tell: see `resolver`.

`vocabulary` is what people call systems; `lexing` makes clean words of a query, `mentions` finds
systems and versions in them, `reading` puts whole files together. Which package serves which version
comes from the catalog, as the values of `support`; `verdicts` applies it, and `answers` is the result.
"""
