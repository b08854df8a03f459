"""What schemathesis cannot know from the description: keys that fit, ids of records that exist, words that are commands
and payloads that senders really write. Half of what it makes is sent as it is; into the other half these are woven, so
that hostile values also come to where the door has been passed. Loaded by tests/fuzz/run.sh."""

import atexit
import base64
import collections
import copy
import json
import os
import pathlib
import random
import re

import schemathesis

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEOPLE = ["bas", "cleo"]
RECORDS = {
    "/v1/incidents/{id}": "INC-",
    "/v1/incidents/{id}/postmortem": "INC-",
    "/v1/alerts/{id}": "ALR-",
    "/v1/pages/{id}": "INC-1.p",
    "/v1/problems/{id}": "PRB-",
    "/v1/changes/{id}": "CHG-",
    "/v1/silences/{id}": "SIL-",
}

# Not by the case: operations without a body would always be asked for the same record.
CHANCE = random.Random(os.environ["OPSBELL_FUZZ_SEED"])

# As people would say it: every example of every command.
WORDS = [
    said
    for file in sorted(ROOT.glob("commands/*.toml"))
    for said in re.findall(r"""^[^#\n]*?['"](/[^'\n]+?)['"],?\s*\]?\s*$""", file.read_text(), re.MULTILINE)
]
assert len(WORDS) > 20, WORDS

PAYLOADS = {
    "alertmanager": {
        "version": "4",
        "status": "firing",
        "groupLabels": {"alertname": "Lag"},
        "alerts": [
            {
                "status": "firing",
                "labels": {"alertname": "Lag", "service": "ledger", "severity": "critical"},
                "annotations": {"summary": "replication lag 900s"},
                "startsAt": "2026-01-05T09:00:00Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "fingerprint": "c0ffee",
            }
        ],
    },
    "generic": {"name": "disk full", "key": "disk-1", "service": "api", "severity": "high", "status": "firing"},
    "pagerduty": {
        "routing_key": "k",
        "event_action": "trigger",
        "dedup_key": "lag",
        "payload": {"summary": "lag", "source": "db-1", "severity": "critical", "custom_details": {"service": "api"}},
    },
    "opsgenie": {"message": "lag", "alias": "lag", "priority": "P1", "tags": ["db"], "details": {"service": "api"}},
    "text": "[FIRING:1] Lag (ledger critical)",
}


def wild(value):
    """The first piece of text in a generated value, or the value as text."""
    if isinstance(value, dict):
        value = list(value.values()) or list(value)
    if isinstance(value, list) and value:
        return wild(value[0])
    return value if isinstance(value, str) else json.dumps(value, default=str)


def graft(tree, value, chance):
    """Puts a generated value somewhere into a payload."""
    keys = list(tree) if isinstance(tree, dict) else list(range(len(tree))) if isinstance(tree, list) else []
    if not keys or chance.random() < 0.2:
        return value
    key = chance.choice(keys)
    tree[key] = graft(tree[key], value, chance)
    return tree


def weave(words, value, chance):
    """A command about what is there, mostly with one of its words replaced."""
    words = re.sub(r"INC-\d+", f"INC-{chance.randrange(1, 5)}", words)
    words = re.sub(r"(service:)\S+", r"\1ledger", re.sub(r"(person:|\bto )\w+", r"\1cleo", words))
    if chance.random() < 0.3:
        return words
    parts = words.split(" ")
    at = chance.randrange(len(parts) + 1)
    return " ".join(parts[:at] + [value] + parts[at + chance.randrange(2) :])


@schemathesis.hook
def before_call(context, case, kwargs):
    chance = CHANCE
    if case.headers is None:
        case.headers = {}
    path, body = case.operation.path, case.body
    if chance.random() < 0.97:
        # A postmortem has an author: there the administrator's token is not enough.
        secret = "PERSON" if path.endswith("/postmortem") else "ADMIN"
        case.headers["Authorization"] = "Bearer " + os.environ[f"OPSBELL_FUZZ_{secret}"]
    if chance.random() < 0.5:
        return
    sent = isinstance(body, (dict, list, str, int, float, bool)) or body is None
    if path == "/v1/ingest/{source}":
        source = chance.choice(sorted(PAYLOADS))
        case.path_parameters = {"source": source}
        key = os.environ[f"OPSBELL_FUZZ_KEY_{source.upper()}"]
        case.headers["Authorization"] = f"Bearer {key}"
        if sent:
            case.body = graft(copy.deepcopy(PAYLOADS[source]), body, chance)
    elif path.startswith("/v2/alerts"):
        case.headers["Authorization"] = "GenieKey " + os.environ["OPSBELL_FUZZ_KEY_OPSGENIE"]
        if path != "/v2/alerts":
            case.path_parameters = {"identifier": "lag"}
            case.query = {**(case.query or {}), "identifierType": "alias"}
            payload = {"user": "x", "note": "y", "source": "z"}
        else:
            payload = copy.deepcopy(PAYLOADS["opsgenie"])
        if sent:
            case.body = graft(payload, body, chance)
    elif path.startswith("/v2/") and sent:
        payload = copy.deepcopy(PAYLOADS["pagerduty"])
        if "change" in path:
            payload.pop("event_action")
        payload = graft(payload, body, chance)
        if isinstance(payload, dict):
            payload["routing_key"] = os.environ["OPSBELL_FUZZ_KEY_PAGERDUTY"]
        case.body = payload
    elif path == "/api/v2/alerts":
        case.headers["Authorization"] = "Bearer " + os.environ["OPSBELL_FUZZ_KEY_ALERTMANAGER"]
        if sent:
            case.body = graft(copy.deepcopy(PAYLOADS["alertmanager"]["alerts"]), body, chance)
    elif path == "/v1/say" and sent:
        case.body = {"text": weave(chance.choice(WORDS), wild(body), chance), "as": chance.choice(PEOPLE)}
        if isinstance(body, dict) and "channel" in body:
            case.body["channel"] = body["channel"]
    elif path == "/v1/gate" and sent:
        case.body = graft({"service": "ledger", "version": chance.choice(["1", "2", "3"]), "as": "bas"}, body, chance)
    elif path == "/v1/complete":
        query = dict(case.query or {})
        said = weave(chance.choice(WORDS), str(query.get("text", "")), chance)
        case.query = {**query, "text": said[: chance.randrange(len(said) + 1)], "as": chance.choice(PEOPLE)}
    elif path in RECORDS:
        case.headers.pop("If-Match", None)
        case.path_parameters = {"id": RECORDS[path] + str(chance.choice([0, 1, 1, 2, 3, 2**64 - 1, 2**64]))}
    elif path == "/v1/services/{id}":
        case.path_parameters = {"id": chance.choice(["api", "ledger"])}
    elif path == "/v1/tokens/{token}":
        case.path_parameters = {"token": "cleo"}
    elif path == "/v1/tokens" and sent and case.method == "POST":
        case.body = {"person": chance.choice(PEOPLE)}
    elif case.query and "cursor" in case.query:
        kind = path.rsplit("/", 1)[-1]
        text = f"{kind}:{chance.choice([0, 1, 2**64 - 1, case.query['cursor']])}".encode("utf-8", "replace")
        case.query = {**case.query, "cursor": base64.urlsafe_b64encode(text).decode().rstrip("=")}


ANSWERS = collections.Counter()


@schemathesis.hook
def after_call(context, case, response):
    ANSWERS[(case.operation.label, response.status_code)] += 1


@atexit.register
def tell():
    """How often each operation answered what, with earlier runs: what never said yes was never really tried."""
    file = pathlib.Path(os.environ["OPSBELL_FUZZ_ANSWERS"])
    if file.exists():
        for line in file.read_text().splitlines():
            label, told = line.split("\t")[:2]
            for status, n in re.findall(r"(\d+): (\d+)", told):
                ANSWERS[(label.strip(), int(status))] += int(n)
    with file.open("w") as told:
        for label in sorted({label for label, _ in ANSWERS}):
            seen = sorted((status, n) for (of, status), n in ANSWERS.items() if of == label)
            never = "" if any(status < 300 for status, _ in seen) else "\tnever succeeded"
            told.write(f"{label:28}\t" + "  ".join(f"{status}: {n}" for status, n in seen) + never + "\n")
