// A page under many URLs leaves files alone.
function may(uri) {
  return uri.slice(uri.lastIndexOf('/')).indexOf('.') < 0;
}
