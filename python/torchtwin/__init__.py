"""Torchtwin: every `nn.Linear` call beside its twin, the plain matmul in the user's own names.

Importing this package loads neither torch nor jupyter_server.
"""
