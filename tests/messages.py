"""What error messages must say."""

import re


def mentions(*words):
    """A regular expression for ``pytest.raises(match=...)``: all the words in any order, single letters alone."""
    patterns = [rf"(?<!\w){word}(?!\w)" if re.fullmatch(r"\w", word) else re.escape(word) for word in words]
    return "(?s)" + "".join(f"(?=.*{pattern})" for pattern in patterns)
