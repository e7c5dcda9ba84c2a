"""Redaction: what looks like a secret is not recorded. It errs on the side of leaving out."""

from __future__ import annotations

import re

REDACTED = "***"

_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSW|PWD|CREDENTIAL|AUTH", re.IGNORECASE)
_WORDS = "token|secret|passw|pwd|credential|auth|(?:api|access|private|secret|signing|encryption)[_.-]?key"
# What stands before and after the word in a name; the bounds keep long runs of letters and digits cheap.
_BEFORE, _AFTER = r"(?<![\w.-])[\w.-]{0,60}?", r"[\w.-]{0,40}"
_IS = r"[ \t]{0,9}[:=][ \t]{0,9}"
_PATTERNS = (
    # A user and password in a URL; a password may hold an @.
    (
        re.compile(r"(?P<keep>(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{1,30}://)[^\s/'\"<>]{1,500}@", re.IGNORECASE),
        rf"\g<keep>{REDACTED}@",
    ),
    # name = "value" and name: type = "value" in code, and "name": "value" in JSON.
    (
        re.compile(
            rf"(?P<keep>{_BEFORE}(?:{_WORDS}|key){_AFTER}[\"']?\]?(?::[^=\n\"']{{0,40}}(?==))?{_IS}[rbuf]{{0,2}})"
            r"(?P<quote>[\"'])[^\n\"']+(?P=quote)",
            re.IGNORECASE,
        ),
        rf"\g<keep>\g<quote>{REDACTED}\g<quote>",
    ),
    # name = value and name: value, in settings.
    (
        re.compile(rf"(?P<keep>{_BEFORE}(?:{_WORDS}|(?-i:KEY)){_AFTER}{_IS})[^\s\"'*]\S*", re.IGNORECASE),
        rf"\g<keep>{REDACTED}",
    ),
    # What can be told by its form: tokens of GitHub, GitLab, Slack, AWS, OpenAI, Hugging Face, and those of the web.
    (
        re.compile(
            r"\b(?:gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{20,}|xox[abprs]-[\w-]{10,}|A[KS]IA[0-9A-Z]{16}|"
            r"sk-[\w-]{20,}|hf_\w{20,}|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*)"
        ),
        REDACTED,
    ),
    (
        re.compile(r"(?P<keep>-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?=-----END|\Z)", re.DOTALL),
        rf"\g<keep>\n{REDACTED}\n",
    ),
)


def is_secret(name: str) -> bool:
    """Whether a variable of this name holds something that nobody else should see."""
    return _NAME.search(name) is not None


def redacted(text: str) -> str:
    """A text without what looks like a secret: passwords in URLs, values of names that say so, known tokens."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text
