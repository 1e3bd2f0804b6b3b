function host(request) {
  const header = request.headers.host;
  return header ? header.value.split(':')[0].toLowerCase() : '';
}
