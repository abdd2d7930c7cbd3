# pytest takes plugins from the topmost conftest alone; those of pytest-jupyter serve tests/python/server.
pytest_plugins = ("pytest_jupyter.jupyter_server",)
