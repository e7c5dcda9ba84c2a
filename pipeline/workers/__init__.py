"""Where steps execute: threads, and processes that can be stopped and can die without harm."""
