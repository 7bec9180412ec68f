"""`serve`: a signed set over HTTP, what its followers report, and the page that shows who differs.

`http_values.py` and `tokens.py` are rules, `signed_folder.py` is the disk, `app.py` answers requests, and
`uvicorn_server.py` is the only module that uses uvicorn.
"""
