# An event on a line, in short for a job's log; an error as an annotation.
def escaped: gsub("%"; "%25") | gsub("\r"; "%0D") | gsub("\n"; "%0A");
def count(what): "\(.) \(what)\(if . == 1 then "" else "s" end)";
# What the build's names could say to the runner, they say to nobody.
def quiet: gsub("[\r\n]"; " ") | sub("^\\s*(?=::|##\\[)"; "| ");

. as $line | (try fromjson catch null | objects // {type: "text"}) |
if .type == "scanned" then "Read the build: \(.files | count("file")), \(.bytes) bytes"
elif .type == "listed" then "Listed the bucket: \(.objects | count("object"))"
elif .type == "warning" then "warning: \(.message | split("\n")[0])" | quiet
elif .type == "error" then "::error title=unstale::\([.message, .causes[], (.hint | values | "hint: \(.)")] | join("\n") | escaped)"
elif .type == "change" or .type == "changed" then "\(.action) \(.key) (\(.reason))" | quiet
elif .type == "delete" or .type == "deleted" then "delete \(.key)" | quiet
elif .type == "lost-url" then "lost: \(.path)" | quiet
elif .type == "purge-accepted" then "Purging \(.paths | length | count("path")) of \(.target) as \(.invalidation)" | quiet
elif .type == "purge-completed" then "\(.invalidation) completed after \(.seconds | ceil) s" | quiet
elif .type == "summary" then "\(.outcome)" | quiet
elif .type == "text" then $line | quiet
else empty end
