# What the job's page and the comment say. Of a deploy that was begun unstale has written its page itself.
# Text that is shown as it is, whatever it has.
def literal: "```text\n\(gsub("```"; "'''"))\n```\n";

($events | map(select(.type == "error")) | last) as $error |
($events | map(select(.type == "markdown")) | last.text) as $plan |
($events | map(select(.type == "summary")) | last // {}) as $summary |
def failure:
  if $error != null then
    "### `unstale \($command)` failed\n\n" + ([$error.message, $error.causes[], ($error.hint | values | "hint: \(.)")] | join("\n") | literal)
  elif $status != 0 and $plan == null and $command != "links" then "### `unstale \($command)` failed\n\nIt ended with status \($status); the job's log has its last words.\n"
  else "" end;
def links:
  ($events | map(select(.type == "link"))) as $links |
  "### Links of the build\n\nOnly the links were looked at: what a deploy would change takes AWS credentials to tell, which a fork's pull request is not given.\n\n" +
  if ($links | length) == 0 then "All \($summary.links // 0) links lead somewhere.\n"
  else
    "<details><summary>\($links | length) of \($summary.links) links lead nowhere</summary>\n\n" +
    ($links[:50] | map("\(.page): \(.to)") | join("\n") | literal) +
    (if ($links | length) > 50 then "\nand \(($links | length) - 50) more; `unstale links` lists all\n" else "" end) + "\n</details>\n"
  end;

(if $plan != null then ($plan | rtrimstr("\n")) + "\n" elif $command == "links" and $error == null then links else "" end) + failure
