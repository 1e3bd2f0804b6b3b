"""Takes docs/ci.md's blocks out of the page, reads them, and writes what of them is run, as scripts.

usage: tests/recipes/recipes.py ROOT VERSION FOLDER
"""

import json
import pathlib
import re
import sys

import yaml

root, version, folder = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
page = (root / "docs/ci.md").read_text()
blocks = dict(re.findall(r"<!-- recipe: (\S+) -->\n```\w+\n(.*?)^```$", page, re.M | re.S))
assert len(blocks) == page.count("<!-- recipe:") == page.count("```") // 2, "a block without a mark, or a mark without a block"
folder.mkdir()

# Whatever names a release names this one.
for told in re.findall(r"(?:sh -s -- |unstale/unstale@v|unstale/unstale:)([0-9][\w.-]*)", page):
    assert told == version, f"docs/ci.md installs {told}, and this is {version}"


def script(name, lines):
    (folder / f"{name}.sh").write_text("\n".join(lines) + "\n")


github = yaml.safe_load(blocks["github"])
action = yaml.safe_load((root / "action.yml").read_text())
(step,) = [step for step in github["jobs"]["site"]["steps"] if step.get("uses", "").startswith("unstale/")]
assert step["uses"] == f"unstale/unstale@v{version}"
assert set(step.get("with", {})) <= set(action["inputs"])
used = set(re.findall(r"steps\.site\.outputs\.([\w-]+)", blocks["github"]))
assert used and used <= set(action["outputs"]), used
inputs = re.findall(r"^\| `([\w-]+)` \|", page, re.M)
assert inputs == list(action["inputs"]), inputs
outputs = re.search(r"^Outputs: (.*?)\. ", page, re.M)[1]
assert re.findall(r"`([\w-]+)`", outputs) == list(action["outputs"]), outputs

gitlab = yaml.safe_load(blocks["gitlab"])
for job in ("plan", "deploy"):
    assert gitlab[job]["variables"]["AWS_ROLE_ARN"].endswith(f"/{job}-my-site")
    script(f"gitlab-{job}", gitlab["default"]["before_script"] + gitlab[job]["script"])
assert list(gitlab["default"]["id_tokens"]) == ["AWS_TOKEN"]

codebuild = yaml.safe_load(blocks["codebuild"])
assert codebuild["version"] == 0.2 and list(codebuild["phases"]) == ["install", "build"]
script("codebuild", [line for phase in codebuild["phases"].values() for line in phase["commands"]])

pipelines = yaml.safe_load(blocks["bitbucket"])["pipelines"]
for name, steps in (("plan", pipelines["pull-requests"]["**"]), ("deploy", pipelines["branches"]["main"])):
    assert steps[0]["step"]["oidc"]
    script(f"bitbucket-{name}", steps[0]["step"]["script"])

json.loads(blocks["npm"])
for name in ("github", "gitlab", "bitbucket"):
    (folder / f"{name}.yml").write_text(blocks[name])
for name in ("cron-script", "crontab", "makefile", "npm"):
    (folder / name).write_text(blocks[name])
