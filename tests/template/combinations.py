"""Writes the template of every combination of what a site can ask for, a folder a region."""

import itertools
import json
import os
import pathlib
import subprocess
import sys

CHOICES = {
    "domain": [[], ["--domain=www.example.com"], ["--domain=www.example.com", "--hosted-zone=Z0123456789ABCDEFGHIJ"]],
    "github": [
        [],
        ["--github=me/site"],
        ["--github=me/site@live", "--github-provider=arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"],
    ],
    "pages": [[], ["--spa"], ["--error-page=404=/404.html", "--error-page=500=/500.html:500@0"]],
    "settings": ['index = "none"', "", 'security = "strict"\ntags = true\nprefix = "docs"\nretain = "1d"'],
}
out = pathlib.Path(sys.argv[1])
for region in ["us-east-1", "eu-central-1"]:
    folder = out / region
    folder.mkdir()
    for number, (*flags, settings) in enumerate(itertools.product(*CHOICES.values())):
        project = folder / f"{number}"
        project.mkdir()
        # Every other one is named by the folder and the account's number.
        bucket = 'bucket = "www.example.com"' if number % 2 else ""
        (project / "deploy.toml").write_text(f'{bucket}\nregion = "{region}"\n{settings}\n')
        command = [os.environ["UNSTALE"], "setup", "--print", "--json", *itertools.chain(*flags)]
        answer = subprocess.run(command, cwd=project, capture_output=True, text=True)
        if answer.returncode:
            sys.exit(f"{command}: {answer.stdout}{answer.stderr}")
        told = json.loads(answer.stdout.splitlines()[0])
        (folder / f"{number}.yaml").write_text(told["template"])
        if told["certificate_template"]:
            (folder / f"{number}-certificate.yaml").write_text(told["certificate_template"])
