  if (host(request) !== canonical) return redirect(301, 'https://' + canonical + viewed, request.querystring, {});
