"""What the fuzzer must know of Barid: how it signs in, and what it must not do to itself.

`cargo xtask fuzz` runs it twice: as a program with a token (everything), and as a person with a session (everything under /auth).
"""

import http.client
import json
import os
import random
import threading

import schemathesis

ENGINE = os.environ["BARID_FUZZ_ENGINE"]
TOKEN = os.environ["BARID_FUZZ_TOKEN"]
TOKEN_ID = os.environ["BARID_FUZZ_TOKEN_ID"]
PASSWORD = os.environ["BARID_FUZZ_PASSWORD"]
AS_PERSON = os.environ["BARID_FUZZ_AS"] == "person"

# Its own: the client seeds the common one anew before each case.
DICE = random.SystemRandom()

# Sessions that are kept, by the account; signing out gets one of its own each time.
LOCK = threading.Lock()
KEPT = {}


def somewhere():
    """Another address each time: wrong passwords are counted by it, and the fuzzer knows none of the right ones."""
    return "10." + ".".join(str(DICE.randrange(1, 255)) for _ in range(3))


def sign_in(email):
    connection = http.client.HTTPConnection(ENGINE, timeout=60)
    body = json.dumps({"email": email, "password": PASSWORD})
    connection.request("POST", "/api/v1/auth/login", body, {"content-type": "application/json", "x-forwarded-for": somewhere()})
    answer = connection.getresponse()
    said = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"the fuzzer cannot sign in as {email}: {answer.status} {said!r}")
    return answer.getheader("set-cookie").split(";")[0]


def session(label):
    if label == "POST /auth/logout":
        return sign_in("leaves@example.com")
    with LOCK:
        if "stays" not in KEPT:
            KEPT["stays"] = sign_in("stays@example.com")
        return KEPT["stays"]


@schemathesis.auth(refresh_interval=None)
class Caller:
    def get(self, case, context):
        return session(context.operation.label) if AS_PERSON else f"Bearer {TOKEN}"

    def set(self, case, data, context):
        case.headers = case.headers or {}
        case.headers["Cookie" if AS_PERSON else "Authorization"] = data


@schemathesis.hook
def before_call(context, case, kwargs):
    case.headers = case.headers or {}
    case.headers["X-Forwarded-For"] = somewhere()
    if AS_PERSON:
        case.headers["Sec-Fetch-Site"] = "same-origin"
    # Its own token is the branch that it sits on.
    if case.operation.label == "POST /tokens/{id}/revoke" and str(case.path_parameters.get("id")) == TOKEN_ID:
        case.path_parameters["id"] = "1"
