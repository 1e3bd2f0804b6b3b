// What an entry of `deploy` in _config.yml may say, and the flags of unstale that it becomes.
//
// Hexo adds its own command line to the entry: what `hexo` knows by the same name (--config, --force, --concurrency, --debug) is none of
// these, or `hexo generate --force --deploy` would upload everything again. `args` can say them.
'use strict';

// Take a value; a list repeats the flag.
const VALUES = new Set([
  'allow', 'bucket', 'ca-bundle', 'cache-control', 'distribution', 'distribution-tenant', 'endpoint-url', 'env', 'exclude',
  'expected-bucket-owner', 'free-paths', 'include', 'keep', 'links', 'lock-wait', 'max-delete', 'max-memory', 'prefix', 'profile', 'purge',
  'region', 'report', 'retain', 'state', 'symlinks', 'timeout', 'url'
]);

// Are true or false, as far as there is a flag for it.
const SWITCHES = {
  'accept-redirects': { true: '--accept-redirects' },
  'adopt': { true: '--adopt' },
  'allow-project-root': { true: '--allow-project-root' },
  'cache': { false: '--no-cache' },
  'delete': { false: '--no-delete' },
  'json': { true: '--json' },
  'path-style': { true: '--path-style' },
  'quiet': { true: '--quiet' },
  'strict': { true: '--strict' },
  'sweep': { true: '--sweep' },
  'verbose': { true: '--verbose' },
  'verify': { true: '--verify' },
  'wait': { true: '--wait', false: '--no-wait' }
};

// Are no flags by themselves.
const OTHERS = new Set(['type', 'bin', 'args']);

// `max_delete`, `maxDelete` and `max-delete` are one option.
function optionName(key) {
  return key.replace(/([a-z])([A-Z])/g, '$1-$2').replace(/_/g, '-').toLowerCase();
}

function flagsOf(name, value) {
  if (value === null || value === undefined) return [];
  if (name === 'local') return value === false ? [] : value === true ? ['--local'] : [`--local=${value}`];
  if (VALUES.has(name)) {
    return [].concat(value).map(item => {
      if (typeof item !== 'string' && typeof item !== 'number') throw new Error(`\`${name}\` of \`deploy\` in _config.yml takes a text`);
      return `--${name}=${item}`;
    });
  }
  if (!(name in SWITCHES)) return [];
  const flag = SWITCHES[name][value];
  if (flag) return [flag];
  const known = Object.keys(SWITCHES[name]).join(' or ');
  throw new Error(`\`${name}\` of \`deploy\` in _config.yml can only be ${known}; leave it out, or set it in deploy.toml`);
}

// Returns the arguments of an entry; what is no option of ours is Hexo's.
function toFlags(entry) {
  // Hexo has --max-delete as `max-delete` and `maxDelete`.
  const options = new Map(Object.entries(entry).map(([key, value]) => [optionName(key), value]));
  const flags = [...options].flatMap(([name, value]) => flagsOf(name, value));
  const args = options.get('args') || [];
  if (!Array.isArray(args)) throw new Error('`args` of `deploy` in _config.yml is a list: args: ["--max-delete", "500"]');
  return flags.concat(args.map(String));
}

// Returns the keys of an entry that mean nothing.
function unknownOptions(entry) {
  return Object.keys(entry).filter(key => {
    const name = optionName(key);
    return !OTHERS.has(name) && !VALUES.has(name) && name !== 'local' && !(name in SWITCHES);
  });
}

module.exports = { toFlags, unknownOptions };
