function isLetIn(header) {
  if (!header || header.value.slice(0, 6).toLowerCase() !== 'basic ') return false;
  let pair = '';
  try { pair = atob(header.value.slice(6)); } catch (e) { return false; }
  return [pair, pair.slice(pair.indexOf(':') + 1)].some(function (text) {
    return crypto.createHash('sha256').update(password[0] + text).digest('hex') === password[1];
  });
}
