"""Facts: the log of events, and the projections kept beside it. Replays on a bare interpreter with msgpack and lmdb."""
