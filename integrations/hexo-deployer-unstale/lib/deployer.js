// Runs `unstale deploy` on what Hexo built, in the project's folder, so that deploy.toml holds there.
'use strict';

const { spawn } = require('child_process');
const { constants } = require('os');
const path = require('path');
const { isatty } = require('tty');
const { toFlags, unknownOptions } = require('./flags');

const RELEASES = 'https://github.com/unstale/unstale/releases';

module.exports = async function(entry) {
  try {
    refuseUnknown(this.config.deploy);
    const program = programOf(entry.bin, this.base_dir);
    const args = ['deploy', this.public_dir, ...toFlags(entry)];
    if (this.env.silent) args.push('--quiet');
    this.log.debug('%s %s', program, args.join(' '));
    await run(program, args, this.base_dir);
  } catch (error) {
    endWith(error.status || 2);
    // Hexo prints the stack, of which the message is all that helps.
    error.stack = error.message;
    throw error;
  }
};

// Refuses misspelt options: an ignored `distribtuion` would purge something else.
function refuseUnknown(config) {
  const entries = [].concat(config || []).filter(entry => entry.type === 'unstale');
  const unknown = entries.flatMap(unknownOptions);
  if (unknown.length) throw new Error(`\`deploy\` in _config.yml says ${unknown.join(', ')}, which is no option of unstale's`);
}

// A name is searched for in PATH, on Windows with .exe added; a path counts from the project.
function programOf(bin, base) {
  if (!bin) return 'unstale';
  return path.basename(bin) === bin ? bin : path.resolve(base, bin);
}

// Hexo ends with status 2 whatever failed. It is unstale's that tells what to do: 4 incomplete, 6 locked, 130 interrupted.
function endWith(status) {
  process.once('exit', code => {
    if (code === 2) process.exitCode = status;
  });
}

// No shell: nothing in the arguments means anything but itself.
function run(program, args, cwd) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, stdio: 'inherit' });
    const release = leaveSignalsTo(child);
    child.once('error', error => {
      release();
      reject(cannotStart(program, error));
    });
    child.once('exit', (code, signal) => {
      release();
      if (code === 0) return resolve();
      reject(failed(code, signal));
    });
  });
}

// While the child runs, its end is what a signal leads to: Hexo would end at once, with status 0, and leave it to itself.
function leaveSignalsTo(child) {
  const held = ['SIGINT', 'SIGTERM'].map(signal => {
    const others = process.rawListeners(signal);
    const forward = () => {
      if (!hasItAlready(signal)) child.kill(signal);
    };
    process.removeAllListeners(signal);
    process.on(signal, forward);
    return { signal, others, forward };
  });
  return () => held.forEach(({ signal, others, forward }) => {
    process.removeListener(signal, forward);
    others.forEach(listener => process.on(signal, listener));
  });
}

// A terminal, and Windows' console, send Ctrl-C to the child too; a second one would end it at once.
function hasItAlready(signal) {
  return signal === 'SIGINT' && (process.platform === 'win32' || [0, 1, 2].some(isatty));
}

function cannotStart(program, { code, message }) {
  if (code !== 'ENOENT') return withStatus(new Error(`${program} cannot be run: ${message}`), 126);
  return withStatus(new Error(`there is no ${program}: install it from ${RELEASES}, or name it as \`bin\` of \`deploy\` in _config.yml`), 127);
}

function failed(code, signal) {
  if (signal) return withStatus(new Error(`unstale was ended by ${signal}`), 128 + constants.signals[signal]);
  return withStatus(new Error(`unstale ended with exit status ${code}`), code);
}

function withStatus(error, status) {
  error.status = status;
  return error;
}
