// Preloaded into jsii's Node by modules/bindings.py: the AWS provider's index loads a submodule when it
// is first used, not all 2,135 of them at the start. It changes no value, only when it is computed.
"use strict";

const Module = require("node:module");

const INDEX = /[\\/]@cdktf[\\/]provider-aws[\\/](.*[\\/])?lib[\\/]index\.js$/;
const EAGER = /^exports\.(\w+) = require\(("[^"]+")\);$/gm;
const LAZY = 'Object.defineProperty(exports, "$1", { enumerable: true, configurable: true, get: () => require($2) });';

const compile = Module.prototype._compile;

Module.prototype._compile = function (source, filename, ...rest) {
  return compile.call(this, INDEX.test(filename) ? source.replace(EAGER, LAZY) : source, filename, ...rest);
};
