// What a function finds around it at CloudFront, and how requests and answers are put before it and read from it.
// Binary data crosses to Rust as text of one character a byte. Written for this crate.
(function (native, missing) {
  const global = globalThis;
  const stringify = JSON.stringify;
  missing.forEach(function (name) { delete global[name]; });

  const logs = [];
  const told = function () {
    const words = [];
    for (let i = 0; i < arguments.length; i++) {
      const word = arguments[i];
      words.push(typeof word === 'object' ? stringify(word) : String(word));
    }
    logs.push(words.join(' '));
  };
  global.console = { log: told, error: told, warn: told, info: told, debug: told };

  const buffer = function (binary) {
    const bytes = new Uint8Array(binary.length);
    for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
    Object.defineProperty(bytes, 'toString', {
      value: function (encoding) { return native('decode', binaryOf(bytes), encoding || 'utf8'); },
    });
    return bytes;
  };
  const binaryOf = function (data, encoding) {
    if (typeof data === 'string') return native('encode', data, encoding || 'utf8');
    let binary = '';
    for (let i = 0; i < data.length; i++) binary += String.fromCharCode(data[i]);
    return binary;
  };
  global.Buffer = {
    from: function (data, encoding) { return buffer(binaryOf(data, encoding)); },
  };
  global.atob = function (text) { return native('encode', String(text), 'base64'); };
  global.btoa = function (text) { return native('decode', native('encode', String(text), 'latin1'), 'base64'); };

  const hasher = function (digest) {
    let data = '';
    const hash = {
      update: function (more, encoding) { data += binaryOf(more, encoding); return hash; },
      digest: function (encoding) {
        const bytes = digest(data);
        return encoding ? native('decode', bytes, encoding) : buffer(bytes);
      },
    };
    return hash;
  };
  const crypto = {
    createHash: function (algorithm) {
      return hasher(function (data) { return native('hash', algorithm, data); });
    },
    createHmac: function (algorithm, key) {
      const secret = binaryOf(key);
      return hasher(function (data) { return native('hmac', algorithm, data, secret); });
    },
  };
  const cloudfront = {
    kvs: function (id) {
      native('store', id === undefined ? '' : String(id));
      return {
        get: async function (key, options) {
          const value = native('value', String(key));
          if (value === undefined) throw new Error('KeyNotFound');
          const format = (options && options.format) || 'string';
          if (format === 'json') return JSON.parse(value);
          return format === 'bytes' ? global.Buffer.from(value) : value;
        },
        exists: async function (key) { return native('value', String(key)) !== undefined; },
      };
    },
  };
  const modules = { crypto: crypto, cloudfront: cloudfront, buffer: { Buffer: global.Buffer } };
  global.require = function (name) {
    if (!Object.keys(modules).includes(name)) throw new Error('Cannot find module "' + name + '"');
    return modules[name];
  };

  // `value` is the first of several.
  const grouped = function (pairs) {
    const object = {};
    pairs.forEach(function (pair) {
      const known = Object.keys(object).includes(pair[0]) && object[pair[0]];
      if (!known) object[pair[0]] = { value: pair[1] };
      else (known.multiValue = known.multiValue || [{ value: known.value }]).push({ value: pair[1] });
    });
    return object;
  };
  const fail = function (said) { throw new Error('The function returned an invalid value: ' + said); };
  const isObject = function (value) { return typeof value === 'object' && value !== null; };
  const listed = function (object, what) {
    if (object === undefined) return [];
    if (!isObject(object)) fail(what + ' must be an object.');
    const pairs = [];
    Object.keys(object).forEach(function (name) {
      const entry = object[name];
      if (!isObject(entry)) fail(what + '["' + name + '"] must be an object.');
      const values = entry.multiValue || [entry];
      values.forEach(function (one) {
        if (!isObject(one) || typeof one.value !== 'string') fail(what + '["' + name + '"].value must be a string.');
        pairs.push([name, one.value, one.attributes || entry.attributes || '']);
      });
    });
    return pairs;
  };
  const headers = function (object, what) {
    return listed(object, what).map(function (pair) {
      if (pair[0] !== pair[0].toLowerCase()) fail(what + '["' + pair[0] + '"] must be in lower case.');
      return [pair[0], pair[1]];
    });
  };
  const assigned = function (pair) { return pair[0] + '=' + pair[1]; };

  const event = function (call) {
    const request = {
      method: call.method, uri: call.uri, querystring: grouped(call.query),
      headers: grouped([['host', call.host]].concat(call.headers)), cookies: grouped(call.cookies),
    };
    Object.defineProperty(request, 'rawQueryString', { value: function () { return call['raw-query']; } });
    const event = { version: '1.0', context: call.context, viewer: { ip: '198.51.100.7' }, request: request };
    if (call.response) {
      const cookies = grouped([]);
      call.response.cookies.forEach(function (cookie) {
        cookies[cookie[0]] = cookie[2] ? { value: cookie[1], attributes: cookie[2] } : { value: cookie[1] };
      });
      event.response = {
        statusCode: call.response.status, statusDescription: call.response.description,
        headers: grouped(call.response.headers), cookies: cookies,
      };
    }
    return event;
  };
  const response = function (result) {
    const status = result.statusCode;
    if (typeof status !== 'number' || status % 1 || status < 100 || status > 599) fail('response.statusCode is none.');
    const body = isObject(result.body) ? result.body.data : result.body;
    if (body !== undefined && typeof body !== 'string') fail('response.body must be a string.');
    const binary = isObject(result.body) && result.body.encoding === 'base64';
    const cookies = listed(result.cookies, 'response.cookies').map(function (cookie) {
      return ['set-cookie', assigned(cookie) + (cookie[2] && '; ' + cookie[2])];
    });
    return {
      status: status, body: body === undefined ? null : body, base64: binary,
      headers: headers(result.headers, 'response.headers').concat(cookies),
    };
  };
  // What a result says, in the form that Rust reads.
  const outcome = function (call, result) {
    if (isObject(result) && result.statusCode !== undefined) return { response: response(result) };
    if (!isObject(result) || call.response || typeof result.uri !== 'string') fail('it is neither a request nor a response.');
    if (result.uri[0] !== '/') fail('request.uri must begin with a slash.');
    const sent = headers(result.headers, 'request.headers');
    const host = sent.filter(function (pair) { return pair[0] === 'host'; });
    if (host.length && host[0][1] !== call.host) fail('request.headers["host"] is read-only.');
    const cookies = listed(result.cookies, 'request.cookies').map(assigned).join('; ');
    const others = sent.filter(function (pair) { return pair[0] !== 'host'; });
    const query = listed(result.querystring, 'request.querystring').map(assigned).join('&');
    // What is sent as it came keeps its form, as `?a` without a `=`.
    const isSame = query === listed(grouped(call.query), '').map(assigned).join('&');
    return {
      request: {
        uri: result.uri, query: isSame ? call['raw-query'] : query,
        headers: cookies ? others.concat([['cookie', cookies]]) : others,
      },
    };
  };
  // A test's event comes as the tester wrote it, and its result is shown as it is.
  const shown = function (result) {
    if (!isObject(result)) fail('it is neither a request nor a response.');
    return result.statusCode === undefined ? { request: result } : { response: result };
  };
  return function (step, first, second) {
    if (step === 'logs') return stringify(logs.splice(0));
    const call = JSON.parse(first);
    if (step === 'event') return call.event || event(call);
    return stringify(call.event ? shown(second) : outcome(call, second));
  };
})
