function redirect(status, to, parameters, without) {
  const parts = [];
  Object.keys(parameters).forEach(function (name) {
    if (without[name]) return;
    const parameter = parameters[name];
    (parameter.multiValue || [parameter]).forEach(function (item) {
      parts.push(item.value === '' ? name : name + '=' + item.value);
    });
  });
  if (parts.length && to.indexOf('?') < 0 && to.indexOf('#') < 0) to += '?' + parts.join('&');
  return { statusCode: status, statusDescription: names[status], headers: { location: { value: to } } };
}
const names = { 301: 'Moved Permanently', 302: 'Found', 303: 'See Other', 307: 'Temporary Redirect', 308: 'Permanent Redirect' };
