  for (let i = 0; UNLESS i < endings.length && kept.indexOf(request.uri) < 0; i++) {
    const stem = last.slice(0, last.length - endings[i].length);
    if (stem === '' || stem === 'index' || stem + endings[i] !== last) continue;
    return redirect(301, request.uri.slice(0, request.uri.length - endings[i].length), request.querystring, {});
  }
