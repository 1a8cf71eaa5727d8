/*
 * Lets `import` find the modules of layers, as `require` does by itself: in the folders of NODE_PATH.
 *
 * Observed: aws/aws-sdk-js#4431, which quotes AWS: from nodejs18.x on, the folders in NODE_PATH are searched for ES modules.
 */
'use strict';

const fs = require('fs');
const nodeModule = require('module');
const path = require('path');
const { pathToFileURL } = require('url');

let places = [];

/** Search the folders of NODE_PATH from now on, where there are any: a function without such layers waits for nothing. */
exports.activate = function activate() {
  places = (process.env.NODE_PATH ?? '')
    .split(path.delimiter)
    .filter((folder) => path.basename(folder) === 'node_modules' && fs.existsSync(folder))
    // What stands beside the folder finds what is in it.
    .map((folder) => pathToFileURL(path.join(path.dirname(folder), 'index.js')).href);
  if (places.length === 0) {
    return;
  }
  if (nodeModule.registerHooks) {
    nodeModule.registerHooks({ resolve: resolveNow });
  } else {
    // Before 22.15: in a thread of its own, which loads this file again. Not there before 18.19.
    nodeModule.register?.(pathToFileURL(__filename).href, { data: places });
  }
};

exports.initialize = function initialize(given) {
  places = given;
};

exports.resolve = async function resolve(specifier, context, next) {
  try {
    return await next(specifier, context);
  } catch (error) {
    if (!isMissingPackage(error, specifier, context)) {
      throw error;
    }
    for (const parentURL of places) {
      try {
        return await next(specifier, { ...context, parentURL });
      } catch (other) {
        goOnIfMissing(other);
      }
    }
    throw error;
  }
};

function resolveNow(specifier, context, next) {
  try {
    return next(specifier, context);
  } catch (error) {
    if (!isMissingPackage(error, specifier, context)) {
      throw error;
    }
    for (const parentURL of places) {
      try {
        return next(specifier, { ...context, parentURL });
      } catch (other) {
        goOnIfMissing(other);
      }
    }
    throw error;
  }
}

/** Whether `import`, which `require` is not, found no package of a name that is no path and no URL. */
function isMissingPackage(error, specifier, context) {
  return (
    error?.code === 'ERR_MODULE_NOT_FOUND' && context.conditions.includes('import') && /^[^./:][^:]*$/.test(specifier)
  );
}

function goOnIfMissing(error) {
  if (error?.code !== 'ERR_MODULE_NOT_FOUND') {
    throw error;
  }
}
