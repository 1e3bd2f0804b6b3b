"""`unstale setup` against moto: a change set, a stack, its events, and what of the template moto plays: bucket and role."""

import argparse
import json
import pathlib
import subprocess
import tempfile

import boto3

parser = argparse.ArgumentParser()
parser.add_argument("--unstale", required=True)
parser.add_argument("--endpoint", required=True)
arguments = parser.parse_args()
place = {"endpoint_url": arguments.endpoint, "region_name": "us-east-1"}


def unstale(project, *words):
    """Runs the binary, and returns the objects that it prints."""
    flags = ["--json", "--bucket", "new-site", "--region", "us-east-1", "--endpoint-url", arguments.endpoint]
    command = [arguments.unstale, *words, *flags]
    ran = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert ran.returncode == 0, f"{command}: {ran.stdout}{ran.stderr}"
    return [json.loads(line) for line in ran.stdout.splitlines()]


with tempfile.TemporaryDirectory() as folder:
    project = pathlib.Path(folder)
    (project / "public").mkdir()
    (project / "public" / "index.html").write_text("<p>1")
    told = unstale(project, "setup", "public", "--yes", "--github", "me/site")
    changes = next(line for line in told if line.get("type") == "change-set")["changes"]
    assert {change["action"] for change in changes} == {"Add"}, changes
    assert any(line["type"] == "resource" for line in told), told

    tags = boto3.client("s3", **place).get_bucket_tagging(Bucket="new-site")["TagSet"]
    assert {"Key": "unstale:site", "Value": "unstale-new-site"} in tags, tags
    iam = boto3.client("iam", **place)
    (role,) = [role for role in iam.list_roles()["Roles"] if role["RoleName"].startswith("unstale-new-site-DeployRole")]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    subjects = trust["Condition"]["StringLike"]["token.actions.githubusercontent.com:sub"]
    assert "repo:me/site:ref:refs/heads/main" in subjects, trust
    # moto gives it back as Python writes it.
    allowed = str(iam.get_role_policy(RoleName=role["RoleName"], PolicyName="deploy")["PolicyDocument"])
    for statement in unstale(project, "policy")[0]["Statement"]:
        for action in [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]:
            # moto makes no distribution, so that deploy.toml has none to be found by its id.
            assert f"'{action}'" in allowed or action.startswith("cloudfront:"), (action, allowed)

    again = unstale(project, "setup", "--yes")
    assert not [line for line in again if line["type"] == "change-set"], again
print("setup: one stack, its bucket, its role; a second run has nothing to do")
