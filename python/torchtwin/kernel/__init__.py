"""The part that lives in the user's process, one file per stage of the flow:

tap -> (callsite, namespace, naming) -> check (coverage, twin, bounds, compare) -> gradient -> recorder -> flush.
"""
