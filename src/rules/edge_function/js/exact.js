function normal(path) {
  return encodeURI(decode(path.replace(/%2f/gi, '%252F')));
}
