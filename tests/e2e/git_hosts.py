"""Fakes of the git hosts' APIs for commit statuses, written from what the hosts publish about them: paths, required members,
words for states, limits, and what each answers to a wrong token, an unknown repository or commit, and too many calls.
"""

import base64
import http.server
import json
import re
import threading
import urllib.parse

SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def is_url(text):
    parts = urllib.parse.urlsplit(text)
    return parts.scheme in ("http", "https") and bool(parts.netloc)


class GitHost:
    """One host with one repository. Statuses that it took are in `statuses`, in their order; all calls are in `calls`."""

    kind = None
    path = None  # Of a status: groups `repository` and `commit`.

    def __init__(self, repository="acme/shop", token="token-of-the-host", commits=()):
        self.repository, self.token, self.commits = repository, token, set(commits)
        self.statuses, self.calls, self.failures = [], [], []
        self.gate = threading.Event()
        self.gate.set()
        host = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                host.calls.append((self.path, self.headers, body))
                host.gate.wait(30)
                status, headers, answer = host.failures.pop(0) if host.failures else host.respond(
                    self.command, self.path, self.headers, body)
                text = b"" if answer is None else json.dumps(answer).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Type": "application/json",
                                    "Content-Length": str(len(text))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_any

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()

    def respond(self, method, path, headers, body):
        return self.answer(path, headers, body) if method == "POST" else (404, {}, {"message": "Not Found"})

    def answer(self, path, headers, body):
        found = self.path.fullmatch(path)
        if found is None:
            return 404, {}, {"message": "Not Found"}
        if not self.authorized(headers):
            return self.unauthorized
        if self.repository_in(found) != self.repository:
            return self.no_repository
        if headers["Content-Type"] != "application/json" or not headers["User-Agent"]:
            return 415, {}, {"message": "Unsupported Media Type"}
        if SHA.fullmatch(found["commit"]) is None or found["commit"] not in self.commits:
            return self.no_commit
        said = json.loads(body)
        wrong = self.object_to(said)
        if wrong:
            return self.invalid, {}, {"message": wrong}
        self.statuses.append({"commit": found["commit"], **said})
        self.on_status(said)
        return self.took

    def repository_in(self, found):
        return urllib.parse.unquote(found["repository"])

    def authorized(self, headers):
        return headers["Authorization"] == f"Bearer {self.token}"

    def on_status(self, said):
        """A status was taken: real hosts report it to the repository's webhooks."""

    unauthorized = (401, {}, {"message": "Bad credentials"})
    no_repository = (404, {}, {"message": "Not Found"})
    no_commit = (422, {}, {"message": "No commit found for SHA"})
    invalid = 422
    took = (201, {}, {"id": 1})

    def object_to(self, said):
        raise NotImplementedError


class GitHub(GitHost):
    """REST, "Create a commit status"."""

    kind = "github"
    path = re.compile(r"/api/v3/repos/(?P<repository>[^/]+/[^/]+)/statuses/(?P<commit>[^/]+)")
    rate_limited = (403, {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "0"}, {"message": "API rate limit exceeded"})

    def object_to(self, said):
        if said.get("state") not in ("error", "failure", "pending", "success"):
            return "state is not included in the list"
        if len(said.get("description") or "") > 140:
            return "description is too long (maximum is 140 characters)"
        if len(said.get("context", "default")) > 255:
            return "context is too long (maximum is 255 characters)"
        if "target_url" in said and not is_url(said["target_url"]):
            return "target_url must use http(s) scheme"
        return None


class GitLab(GitHost):
    """API, "Commits", "Set commit pipeline status". A state is left once, and a verdict not at all."""

    kind = "gitlab"
    path = re.compile(r"/api/v4/projects/(?P<repository>[^/]+)/statuses/(?P<commit>[^/]+)")
    unauthorized = (401, {}, {"message": "401 Unauthorized"})
    no_repository = (404, {}, {"message": "404 Project Not Found"})
    no_commit = (404, {}, {"message": "404 Commit Not Found"})
    invalid = 400

    def authorized(self, headers):
        return headers["PRIVATE-TOKEN"] == self.token

    def object_to(self, said):
        order = ["pending", "running", "success", "failed", "canceled"]
        if said.get("state") not in order:
            return "state does not have a valid value"
        for member in ("context", "description", "target_url"):
            if len(said.get(member, "")) > 255:
                return f"{member} is too long (maximum is 255 characters)"
        if "target_url" in said and not is_url(said["target_url"]):
            return "target_url is blocked"
        now = [each["state"] for each in self.statuses if each["context"] == said["context"]]
        if now and (now[-1] in order[2:] or order.index(now[-1]) >= order.index(said["state"])):
            return f"Cannot transition status from :{now[-1]}"
        return None


class Bitbucket(GitHost):
    """Cloud, "Create a build status for a commit". The token may be USER:PASSWORD."""

    kind = "bitbucket"
    path = re.compile(r"/2\.0/repositories/(?P<repository>[^/]+/[^/]+)/commit/(?P<commit>[^/]+)/statuses/build")
    no_commit = (404, {}, {"type": "error"})
    invalid = 400

    def authorized(self, headers):
        if ":" not in self.token:
            return super().authorized(headers)
        return headers["Authorization"] == "Basic " + base64.b64encode(self.token.encode()).decode()

    def object_to(self, said):
        if said.get("state") not in ("SUCCESSFUL", "FAILED", "INPROGRESS", "STOPPED"):
            return "state: not a valid choice"
        if not said.get("key") or len(said["key"]) > 40:
            return "key: required, at most 40 characters"
        if not is_url(said.get("url", "")):
            return "url: required field"
        if len(said.get("name", "")) > 255 or len(said.get("description", "")) > 255:
            return "at most 255 characters"
        return None


class BitbucketServer(GitHost):
    """Data Center, "Create or update a build status" of a repository: answers 204 without a body."""

    kind = "bitbucket-server"
    path = re.compile(r"/rest/api/latest/projects/(?P<project>[^/]+)/repos/(?P<name>[^/]+)/commits/(?P<commit>[^/]+)/builds")
    no_commit = (404, {}, {"errors": [{"message": "Commit does not exist"}]})
    invalid = 400
    took = (204, {}, None)

    def repository_in(self, found):
        return f"{found['project']}/{found['name']}"

    def object_to(self, said):
        if said.get("state") not in ("SUCCESSFUL", "FAILED", "INPROGRESS", "CANCELLED", "UNKNOWN"):
            return "state"
        if not said.get("key") or max(len(said.get(name, "")) for name in ("key", "name", "description")) > 255:
            return "key is required; at most 255 characters"
        if not is_url(said.get("url", "")) or len(said["url"]) > 450:
            return "url is required; at most 450 characters"
        return None


class Gitea(GitHost):
    """POST /repos/{owner}/{repo}/statuses/{sha}, of Gitea and of Forgejo."""

    kind = "gitea"
    path = re.compile(r"/api/v1/repos/(?P<repository>[^/]+/[^/]+)/statuses/(?P<commit>[^/]+)")
    no_commit = (404, {}, {"message": "object does not exist"})

    def authorized(self, headers):
        return headers["Authorization"] == f"token {self.token}"

    def object_to(self, said):
        known = ("pending", "success", "error", "failure", "warning")
        return None if said.get("state") in known else "unknown state"


class Forgejo(Gitea):
    kind = "forgejo"


HOSTS = (GitHub, GitLab, Bitbucket, BitbucketServer, Gitea, Forgejo)
