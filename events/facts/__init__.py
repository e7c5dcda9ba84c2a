"""The types of event: immutable facts in the past tense.

A type's fields only ever grow at the end and with defaults; any other change is a new version of the schema.
Values are what msgpack knows: no objects of user code, so that a log replays on a bare interpreter.
Times are microseconds since the epoch in UTC and inform only; the order of events is that of their sequence numbers.
"""
