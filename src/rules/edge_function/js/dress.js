function dress(response, uri) {
  headers.forEach(function (rule) {
    if (!new RegExp(rule[0]).test(uri)) return;
    if (rule[2] === '') delete response.headers[rule[1]];
    else response.headers[rule[1]] = { value: rule[2] };
  });
  return response;
}
