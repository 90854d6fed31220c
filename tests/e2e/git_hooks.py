"""Fakes of the git hosts' APIs for webhooks, and of the hosts' own calls, written from what the hosts publish about them: paths,
required members, paging, the logs of GitHub and GitLab and asking for a call again, and the headers and signatures of calls.
A real Gitea is in gitea_test.py.
"""

import hashlib
import hmac
import http.client
import json
import time
import urllib.parse
import uuid

import git_hosts

COMMIT = "3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c"


def sign(secret, body):
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class Hooks:
    """A part of a host: its repository's webhooks are in `hooks`, by id; what they sent is in `log`, the oldest first."""

    list_path = "/api/v1/repos/{repository}/hooks"
    page_max = 2  # Small, so that every list has pages.
    created, change_method = 201, "PATCH"
    change_keeps_secret = False

    def __init__(self, **options):
        self.hooks, self.log, self.made = {}, [], 0
        super().__init__(**options)

    @property
    def repository_url(self):
        return f"{self.url}/{self.repository}.git"

    def respond(self, method, path, headers, body):
        parts = urllib.parse.urlsplit(path)
        base = self.list_path.format(repository=self.repository)
        if parts.path != base and not parts.path.startswith(base + "/"):
            return super().respond(method, path, headers, body)
        if not self.authorized(headers):
            return self.unauthorized
        rest = [urllib.parse.unquote(part) for part in parts.path[len(base):].split("/") if part]
        query = dict(urllib.parse.parse_qsl(parts.query))
        if not rest:
            return self.list(query) if method == "GET" else self.make(json.loads(body))
        hook = self.hooks.get(rest[0])
        if hook is None:
            return 404, {}, {"message": "Not Found"}
        if len(rest) == 1 and method == self.change_method:
            said = self.read(json.loads(body))
            if self.change_keeps_secret:
                del said["secret"]
            hook.update(said)
            return 200, {}, self.shown(hook)
        if len(rest) == 1 and method == "DELETE":
            del self.hooks[rest[0]]
            return 204, {}, None
        return self.respond_log(method, hook, rest[1:], query, parts.path)

    def respond_log(self, method, hook, rest, query, path):
        return 404, {}, {"message": "Not Found"}

    def list(self, query):
        return self.page([self.shown(hook) for hook in self.hooks.values()], int(query.get("page", 1)), query)

    def page(self, items, number, query):
        """Links to the next page in a header, as GitHub's and GitLab's lists."""
        size = min(self.page_max, int(query.get("per_page", self.page_max)))
        begin = (number - 1) * size
        headers = {"X-Total-Count": str(len(items))}
        if begin + size < len(items):
            query = urllib.parse.urlencode({**query, "page": number + 1})
            base = self.list_path.format(repository=self.repository)
            headers["Link"] = f'<{self.url}{base}?{query}>; rel="next", <{self.url}{base}>; rel="first"'
        return 200, headers, items[begin:begin + size]

    def make(self, said):
        hook = {"id": self.new_id(), **self.read(said)}
        self.hooks[str(hook["id"])] = hook
        return self.created, {}, self.shown(hook)

    def new_id(self):
        self.made += 1
        return self.made + 39

    def add(self, url):
        """Somebody else's webhook."""
        hook = {"id": self.new_id(), "url": url, "secret": "of somebody else"}
        self.hooks[str(hook["id"])] = hook

    def read(self, said):
        config = said["config"]
        assert config["content_type"] == "json" and said["active"], said
        assert set(said["events"]) >= {"push", "pull_request"}, said
        return {"url": config["url"], "secret": config["secret"]}

    def shown(self, hook):
        return {"id": hook["id"], "active": True, "config": {"url": hook["url"], "content_type": "json"}}

    # --- calls of webhooks

    def ours(self, relay):
        return [hook for hook in self.hooks.values() if f":{relay.port}/" in hook["url"]]

    def push(self, hook, body=None, delivery=None):
        """@returns the delivery's id."""
        body = self.push_body() if body is None else body
        delivery = delivery or str(uuid.uuid4())
        self.call(hook, body, delivery)
        return delivery

    def call(self, hook, body, delivery):
        parts = urllib.parse.urlsplit(hook["url"])
        try:
            connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
            connection.request("POST", parts.path, body, {
                "Content-Type": "application/json", **self.call_headers(hook, body, delivery)})
            status = connection.getresponse().status
            connection.close()
        except OSError:
            status = 0
        self.log.append({"id": len(self.log) + 1000, "delivery": delivery, "hook": hook["id"], "body": body,
                         "status": status, "at": time.time()})

    def call_again(self, hook, number):
        for entry in self.log:
            if entry["id"] == number and entry["hook"] == hook["id"]:
                self.call(hook, entry["body"], entry["delivery"])
                return True
        return False

    def calls_of(self, delivery):
        return [entry["status"] for entry in self.log if entry["delivery"] == delivery]

    def push_body(self):
        return json.dumps({
            "ref": "refs/heads/main", "before": "1" * 40, "after": COMMIT,
            "head_commit": {"id": COMMIT, "message": "Add login", "author": {"name": "Ada"}, "committer": {"name": "Ada"}},
            "commits": [{"id": COMMIT, "message": "Add login"}], "pusher": {"name": "ada"},
            "repository": {"full_name": self.repository, "private": False, "name": "shop", "owner": {"login": "acme"},
                           "clone_url": self.repository_url, "ssh_url": "git@git.example.org:acme/shop.git"},
            "sender": {"login": "ada"}}).encode()


class GitHub(Hooks, git_hosts.GitHub):
    """An Enterprise Server: "Repository webhooks", "Repository webhook deliveries". The log's pages are found by a cursor."""

    list_path = "/api/v3/repos/{repository}/hooks"

    def make(self, said):
        assert said["name"] == "web" and said["config"]["insecure_ssl"] == "0", said
        if any(hook["url"] == said["config"]["url"] for hook in self.hooks.values()):
            return 422, {}, {"message": "Validation Failed", "errors": [{"message": "Hook already exists on this repository"}]}
        return super().make(said)

    def call_headers(self, hook, body, delivery):
        return {"X-GitHub-Event": "push", "X-GitHub-Delivery": delivery,
                "X-Hub-Signature-256": "sha256=" + sign(hook["secret"], body)}

    def respond_log(self, method, hook, rest, query, path):
        if method == "GET" and rest == ["deliveries"]:
            return self.deliveries(hook, query, path)
        if method == "POST" and len(rest) == 3 and rest[0] == "deliveries" and rest[2] == "attempts":
            found = self.call_again(hook, int(rest[1]))
            return (202, {}, {}) if found else (404, {}, {"message": "Not Found"})
        return 404, {}, {"message": "Not Found"}

    def deliveries(self, hook, query, path):
        before = int(query.get("cursor", "v1_999999999")[3:])
        found = [entry for entry in reversed(self.log) if entry["hook"] == hook["id"] and entry["id"] < before]
        shown = found[:self.page_max]
        headers = {}
        if len(found) > len(shown):
            headers["Link"] = f'<{self.url}{path}?per_page=100&cursor=v1_{shown[-1]["id"]}>; rel="next"'
        return 200, headers, [{
            "id": entry["id"], "guid": entry["delivery"], "redelivery": False, "duration": 0.1, "event": "push", "action": None,
            "delivered_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(entry["at"])),
            "status": "OK" if 200 <= entry["status"] < 300 else "Invalid HTTP Response", "status_code": entry["status"],
            "installation_id": None, "repository_id": 7, "throttled_at": None} for entry in shown]


class GitLab(Hooks, git_hosts.GitLab):
    """API, "Project webhooks". The log has no times, and says "internal error" where nothing was answered."""

    change_method = "PUT"

    @property
    def list_path(self):
        return "/api/v4/projects/" + urllib.parse.quote(self.repository, safe="") + "/hooks"

    def read(self, said):
        assert said["push_events"] and said["enable_ssl_verification"], said
        return {"url": said["url"], "secret": said["token"]}

    def shown(self, hook):
        return {"id": hook["id"], "url": hook["url"], "push_events": True, "alert_status": "executable"}

    def call_headers(self, hook, body, delivery):
        return {"X-Gitlab-Event": "Push Hook", "Idempotency-Key": delivery, "X-Gitlab-Event-UUID": str(uuid.uuid4()),
                "X-Gitlab-Token": hook["secret"]}

    def push_body(self):
        return json.dumps({
            "object_kind": "push", "ref": "refs/heads/main", "before": "1" * 40, "after": COMMIT, "checkout_sha": COMMIT,
            "user_username": "ada", "project": {"path_with_namespace": self.repository}}).encode()

    def respond_log(self, method, hook, rest, query, path):
        if method == "GET" and rest == ["events"]:
            number = int(query.get("page", 1))
            status, headers, entries = self.page(
                [entry for entry in reversed(self.log) if entry["hook"] == hook["id"]], number, query)
            if "Link" in headers:
                headers["Link"] = f'<{self.url}{path}?per_page=20&page={number + 1}>; rel="next"'
            return status, headers, [{
                "id": entry["id"], "url": hook["url"], "trigger": "push_hooks",
                "request_headers": self.call_headers(hook, entry["body"], entry["delivery"]),
                "response_status": str(entry["status"]) if entry["status"] else "internal error"} for entry in entries]
        if method == "POST" and len(rest) == 3 and rest[0] == "events" and rest[2] == "resend":
            self.call_again(hook, int(rest[1]))
            return 201, {}, {"response_status": self.log[-1]["status"]}
        return 404, {}, {"message": "404 Not Found"}


class Bitbucket(Hooks, git_hosts.Bitbucket):
    """Cloud, "Webhooks". The list is in a member, with the next page's URL beside it. There is no log."""

    list_path = "/2.0/repositories/{repository}/hooks"
    change_method = "PUT"

    def new_id(self):
        return "{" + str(uuid.uuid4()) + "}"

    def page(self, items, number, query):
        size = self.page_max
        answer = {"values": items[(number - 1) * size:number * size], "page": number, "pagelen": size}
        if number * size < len(items):
            base = self.list_path.format(repository=self.repository)
            answer["next"] = f"{self.url}{base}?page={number + 1}"
        return 200, {}, answer

    def read(self, said):
        assert "repo:push" in said["events"] and len(said["secret"]) <= 128, said
        return {"url": said["url"], "secret": said["secret"]}

    def shown(self, hook):
        return {"uuid": hook["id"], "url": hook["url"], "active": True, "secret_set": True}

    def call_headers(self, hook, body, delivery):
        return {"X-Event-Key": "repo:push", "X-Request-UUID": delivery, "X-Hook-UUID": hook["id"],
                "X-Hub-Signature": "sha256=" + sign(hook["secret"], body)}

    def push_body(self):
        return json.dumps({
            "actor": {"nickname": "ada"}, "repository": {"full_name": self.repository},
            "push": {"changes": [{"old": None, "new": {
                "type": "branch", "name": "main", "target": {"hash": COMMIT, "message": "Add login"}}}]}}).encode()


class Gitea(Hooks, git_hosts.Gitea):
    """The list has no Link header, only a count. There is no log. A change leaves the secret as it was, as at 1.25."""

    change_keeps_secret = True

    def page(self, items, number, query):
        status, headers, items = super().page(items, number, query)
        headers.pop("Link", None)
        return status, headers, items

    def read(self, said):
        assert said.get("type", "gitea") == "gitea", said
        return super().read(said)

    def call_headers(self, hook, body, delivery):
        return {"X-Gitea-Event": "push", "X-Gitea-Delivery": delivery, "X-Gitea-Signature": sign(hook["secret"], body)}


class Forgejo(Gitea):
    kind = "forgejo"


HOSTS = (GitHub, GitLab, Bitbucket, Gitea, Forgejo)
