"""Reads what `GET /metrics` answers, strictly: a line that the grammar of OpenMetrics does not know is an error."""

import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'
SAMPLE = re.compile(rf"({NAME})(?:{{((?:{LABEL})(?:,{LABEL})*)}})? (-?[0-9.e+-]+|\+Inf)")
COMMENT = re.compile(rf"# (TYPE|UNIT|HELP) ({NAME}) (.+)")


class Scrape:
    """The samples of one answer: `sample(name, label=value)`, `family(name)`."""

    def __init__(self, text):
        self.text = text
        self.samples = {}
        self.types = {}
        self.helps = {}
        for line in text.splitlines():
            if line == "# EOF":
                continue
            if comment := COMMENT.fullmatch(line):
                kind, name, what = comment.groups()
                if kind == "TYPE":
                    assert name not in self.types, f"{name} is described again"
                    self.types[name] = what
                if kind == "HELP":
                    self.helps[name] = what
                continue
            sample = SAMPLE.fullmatch(line)
            assert sample, f"not a sample: {line!r}"
            labels = frozenset(re.findall(LABEL, sample[2] or ""))
            key = (sample[1], labels)
            assert key not in self.samples, f"twice: {line!r}"
            self.samples[key] = float(sample[sample.lastindex])

    def sample(self, name, **labels):
        return self.samples[name, frozenset(labels.items())]

    def family(self, name):
        """Values by labels: a dict for each sample."""
        return [(dict(labels), value) for (other, labels), value in self.samples.items() if other == name]

    def sum(self, name, **labels):
        return sum(value for found, value in self.family(name)
                   if all(found.get(key) == wanted for key, wanted in labels.items()))

    def names(self):
        return {name for name, _ in self.samples}


def scrape(relay, headers=None):
    """@param headers  in place of the administrator's token; None: that."""
    connection = relay.connect()
    connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {relay.token}"}
                       if headers is None else headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert answer.status == 200, (answer.status, text)
    return Scrape(text)
