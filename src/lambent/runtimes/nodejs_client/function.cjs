/* From the handler's name to the function that serves events. */
'use strict';

const fs = require('fs');
const { createRequire } = require('module');
const path = require('path');
const { pathToFileURL } = require('url');

const errors = require('./errors.cjs');
const layers = require('./layers.cjs');
const { defineGlobal, isStreaming } = require('./streaming.cjs');

// By the name that AWS's has, which shows in the message of a module that is missing.
const require_ = createRequire(path.join(__dirname, 'index.mjs'));

const NO_CALLBACKS =
  'ERROR: AWS Lambda has removed support for callback-based function handlers starting with Node.js 24. You need to ' +
  'modify this function to use a supported handler signature to use Node.js 24 or later. For more information see ' +
  'https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.';

/**
 * Load a module and return the function in it that `handler` names, e.g. `index.handler` or `src/app.api.get`.
 *
 * Throws what the module throws while it is loaded, or one of `errors`.
 */
async function load(root, handler, takesCallbacks) {
  if (handler.includes('..')) {
    throw new errors.MalformedHandlerName(
      `'${handler}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`,
    );
  }
  const name = path.basename(handler);
  const split = /^([^.]*)\.(.*)$/.exec(name);
  if (split === null) {
    throw new errors.MalformedHandlerName('Bad handler');
  }
  const folder = handler.slice(0, handler.lastIndexOf(name));
  defineGlobal();
  const loaded = await loadModule(root, folder, split[1], takesCallbacks);
  let found = member(loaded, split[2]);
  if (!found && !takesCallbacks && loaded?.default) {
    // What a CommonJS module exports is the default of what `import` makes of it.
    found = member(loaded.default, split[2]);
  }
  if (!found) {
    throw new errors.HandlerNotFound(`${handler} is undefined or not exported`);
  }
  if (typeof found !== 'function') {
    throw new errors.HandlerNotFound(`${handler} is not a function`);
  }
  if (!isStreaming(found) && !takesCallbacks && found.length >= 3) {
    throw new errors.CallbackHandlerDeprecated(NO_CALLBACKS);
  }
  return found;
}

function member(object, names) {
  return names.split('.').reduce((nested, name) => nested?.[name], object);
}

async function loadModule(root, folder, name, takesCallbacks) {
  layers.activate();
  try {
    const file = path.resolve(root, folder, name);
    const found = takesCallbacks ? await loadFile(file) : await importFile(file);
    if (found) {
      return found;
    }
    // Not below the package: as `require` finds it, in layers among others.
    return require_(require_.resolve(name, { paths: [root, path.resolve(root, folder)] }));
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new errors.UserCodeSyntaxError(error);
    }
    if (error?.code === 'MODULE_NOT_FOUND') {
      throw new errors.ImportModuleError(error);
    }
    throw error;
  }
}

/** Load a file as up to nodejs22.x: by `require` where it is no ES module by its name or its package. */
async function loadFile(file) {
  if (isFile(file)) {
    return requireOrImport(file);
  }
  if (isFile(`${file}.js`)) {
    const isModule = isInModulePackage(path.dirname(file));
    return isModule ? importPath(`${file}.js`) : requireOrImport(`${file}.js`);
  }
  if (isFile(`${file}.mjs`)) {
    return importPath(`${file}.mjs`);
  }
  // What is left is a folder with an index.js, or nothing.
  const found = [`${file}.cjs`, file].find((one) => fs.existsSync(one));
  return found === undefined ? undefined : require_(found);
}

/** Load a file as from nodejs24.x on. */
async function importFile(file) {
  const found = ['', '.js', '.mjs', '.cjs'].find((extension) => isFile(file + extension));
  return found === undefined ? undefined : importPath(file + found);
}

async function requireOrImport(file) {
  try {
    return require_(file);
  } catch (error) {
    // Newer versions see by themselves that a file is an ES module, but not `require` one that awaits at its top level.
    if (error?.code === 'ERR_REQUIRE_ESM' || error?.code === 'ERR_REQUIRE_ASYNC_MODULE') {
      return importPath(file);
    }
    throw error;
  }
}

function importPath(file) {
  return import(pathToFileURL(file).href);
}

function isFile(file) {
  return fs.statSync(file, { throwIfNoEntry: false })?.isFile() ?? false;
}

/** Whether the nearest package.json says `"type": "module"`. */
function isInModulePackage(folder) {
  if (folder.endsWith('/node_modules')) {
    return false;
  }
  const description = path.join(folder, 'package.json');
  if (isFile(description)) {
    try {
      return JSON.parse(fs.readFileSync(description, 'utf8'))?.type === 'module';
    } catch (error) {
      console.warn(`${description} cannot be read, it will be ignored for ES module detection purposes.`, error);
      return false;
    }
  }
  const parent = path.dirname(folder);
  return parent !== folder && isInModulePackage(parent);
}

module.exports = { load };
