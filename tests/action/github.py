"""GitHub's API as far as the action asks it: the comments of a pull request, kept in a JSON file that a test may write, too.

usage: tests/action/github.py FILE    (prints its port)

The file holds `comments`, `status` (what every request is answered with, instead) and `readonly` (whether writing is denied).
"""

import http.server
import json
import pathlib
import re
import sys
import urllib.parse

FILE = pathlib.Path(sys.argv[1])
ISSUE = re.compile(r"/repos/me/site/issues/7/comments$")
COMMENT = re.compile(r"/repos/me/site/issues/comments/(\d+)$")


class Api(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, status, value=None):
        body = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle_method(self):
        state = json.loads(FILE.read_text())
        comments = state["comments"]
        state.setdefault("requests", []).append(f"{self.command} {self.path}")
        address = urllib.parse.urlsplit(self.path)
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        issue, comment = ISSUE.match(address.path), COMMENT.match(address.path)
        found = [entry for entry in comments if comment and entry["id"] == int(comment[1])]
        status, value = 404, {"message": "Not Found"}
        if state.get("status"):
            status, value = state["status"], {"message": "as told"}
        elif self.headers.get("Authorization") != "Bearer secret-token":
            status, value = 401, {"message": "Bad credentials"}
        elif issue and self.command == "GET":
            query = dict(urllib.parse.parse_qsl(address.query))
            size, page = int(query["per_page"]), int(query["page"])
            assert size <= 100
            status, value = 200, comments[(page - 1) * size : page * size]
        elif state.get("readonly"):
            status, value = 403, {"message": "Resource not accessible by integration"}
        elif self.command in ("POST", "PATCH") and len(json.loads(sent)["body"].encode("utf-16-le")) > 2 * 65536:
            status, value = 422, {"message": "body is too long (maximum is 65536 characters)"}
        elif issue and self.command == "POST":
            value = {
                "id": max([entry["id"] for entry in comments], default=0) + 1,
                "body": json.loads(sent)["body"],
                "user": {"type": "Bot"},
                "author_association": "NONE",
            }
            comments.append(value)
            status = 201
        elif found and self.command == "PATCH":
            found[0]["body"] = json.loads(sent)["body"]
            status, value = 200, found[0]
        elif found and self.command == "DELETE":
            comments.remove(found[0])
            status, value = 204, None
        FILE.write_text(json.dumps(state))
        self.answer(status, value)

    do_GET = do_POST = do_PATCH = do_DELETE = handle_method


server = http.server.HTTPServer(("127.0.0.1", 0), Api)
print("port", server.server_port, flush=True)
server.serve_forever()
