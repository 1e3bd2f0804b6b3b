  if (!isLetIn(request.headers.authorization)) {
    const asks = { 'www-authenticate': { value: 'Basic realm="site", charset="UTF-8"' }, 'x-robots-tag': { value: 'noindex' } };
    return { statusCode: 401, statusDescription: 'Unauthorized', headers: asks };
  }
  delete request.headers.authorization;
