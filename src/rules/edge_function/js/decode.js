function decode(text) {
  try { return decodeURIComponent(text); } catch (e) { return text; }
}
