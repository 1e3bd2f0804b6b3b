# The comment's body. GitHub refuses more than 65,536 characters: what is too much is cut at a line, and said.
# A character that takes two units of UTF-16 counts as two, so that no way of counting finds more.
def units: explode | map(if . > 65535 then 2 else 1 end) | add // 0;
def occurrences($text): split($text) | length - 1;

(if $commit == "" then "" else "\($commit[:7]) · " end) as $of |
"\n<sub>\($of)[job](\($job))</sub>\n" as $foot |
65000 as $limit |
($text | split("\n")) as $lines |
(reduce $lines[] as $line ({left: ($limit - ($marker | units) - ($foot | units)), kept: [], full: false};
  ($line | units + 1) as $size
  | if .full or $size > .left then .full = true else .left -= $size | .kept += [$line] end)) as $fitting |
($fitting.kept | join("\n")) as $kept |
(if $fitting.full then
  # What was opened is closed, so that the note is not hidden in it: a fence, a fold.
  (if ($kept | split("\n") | map(select(startswith("```"))) | length) % 2 == 1 then "\n```" else "" end) +
  ("\n\n</details>" * (($kept | occurrences("<details>")) - ($kept | occurrences("</details>"))) // "") +
  "\n\n**Cut here**: the last \(($lines | length) - ($fitting.kept | length)) of \($lines | length) lines do not fit into a comment. [The job's page](\($job)) has all of them.\n"
else "" end) as $cut |
{body: ($marker + "\n" + $kept + $cut + $foot)}
