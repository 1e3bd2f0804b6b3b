// A page under many URLs leaves files and pages of their own alone.
function may(uri) {
  return uri.slice(uri.lastIndexOf('/')).indexOf('.') < 0 && own.indexOf(decode(uri).replace(/\/+$/, '')) < 0;
}
