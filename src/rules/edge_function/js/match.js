function match(rule, request) {
  const values = {}, asked = request.querystring, wanted = rule[4] || {};
  if (rule[3] && rule[3] !== host(request)) return null;
  const names = Object.keys(wanted);
  for (let i = 0; i < names.length; i++) {
    const name = names[i], text = wanted[name];
    if (!asked[name]) return null;
    if (text[0] === ':') values[text.slice(1)] = asked[name].value;
    else if (decode(text) !== decode(asked[name].value)) return null;
  }
  const patterns = rule[0].split('/'), segments = request.uri.split('/');
  for (let i = 1; i < patterns.length; i++) {
    const pattern = patterns[i];
    if (pattern === '*') {
      values.splat = segments.slice(i).join('/').replace(/^\/+/, '');
      return values;
    }
    if (i >= segments.length) return null;
    if (pattern[0] === ':') {
      if (segments[i] === '') return null;
      values[pattern.slice(1)] = segments[i];
    } else if (decode(pattern) !== decode(segments[i])) return null;
  }
  return patterns.length === segments.length ? values : null;
}
function fill(to, values) {
  return to.replace(/:([A-Za-z][A-Za-z0-9_]*)/g, function (all, name) {
    return Object.prototype.hasOwnProperty.call(values, name) ? values[name] : all;
  });
}
