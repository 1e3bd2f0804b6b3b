# The step's outputs, from the last object.
($events | map(select(.type == "summary")) | last // {}) as $summary |
{
  command: $command,
  outcome: ($summary.outcome // "failed"),
  "deploy-id": $summary.deploy,
  uploaded: ($summary.uploaded // $summary.uploads),
  deleted: ($summary.deleted // $summary.deletes),
  paths: ($summary["paths-purged"] // $summary.paths),
  invalidation: ($summary.invalidations // [] | map(.id | values) | join(" ")),
  url: $summary.url
}
| to_entries[] | "\(.key)=\(.value // "" | tostring | gsub("[\r\n]"; " "))"
